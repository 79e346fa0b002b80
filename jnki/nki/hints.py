"""Of arguments that earlier dialects have, what stands for them in this one."""

HINTS = {
    "mask": "there are no masks in this dialect: slices that end with min(...) leave out what a mask did",
    "dtype": "a result has the type of dst",
    "dst_rmw_op": "nisa.dma_compute accumulates",
    "unique_indices": "nisa.dma_compute takes it",
    "use_gpsimd_dma": "dma_engine=nisa.dma_engine.gpsimd_dma, or nisa.dma_engine.dma",
    "platform_target": "NEURON_PLATFORM_TARGET_OVERRIDE names the target",
}
