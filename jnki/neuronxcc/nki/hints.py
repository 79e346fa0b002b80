"""Of arguments that only the current dialect has, what stands for them in this one."""

HINTS = {"dst": "it returns its result, as all of the legacy dialect but dma_copy and store do"}
