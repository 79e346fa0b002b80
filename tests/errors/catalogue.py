"""The rules of the legacy dialect: every named error of its documentation, and the constraints stated in its prose.

A rule is in exactly one place: raised under its own name somewhere in `jnki`, or in one of the tables below.
"""

NAMED = [
    "err_1d_arange_not_supported",
    "err_activation_bias_invalid_type",
    "err_activation_scale_invalid_type",
    "err_activation_scale_scalar_or_vector",
    "err_ambiguous_tensor_truth_value",
    "err_annotation_shape_mismatch",
    "err_bias_tensor_must_be_specified_in_allocation",
    "err_cannot_assign_to_index",
    "err_cannot_update_immutable_parameter",
    "err_control_flow_condition_depending_on_arange",
    "err_copy_dynamic_indirect_indices_not_natively_supported",
    "err_dynamic_control_flow_not_supported",
    "err_exceed_max_supported_dimension",
    "err_failed_to_infer_tile_from_local_tensor",
    "err_hbm_tensor_with_init_value_not_supported",
    "err_indirect_indices_are_not_supported_with_nki_api",
    "err_indirect_indices_free_dim",
    "err_leading_dimension_of_tensor_must_be_partition",
    "err_local_variable_used_out_of_scope",
    "err_mutable_parameter_not_returned",
    "err_nested_kernel_with_spmd_grid",
    "err_nki_api_outside_of_nki_kernel",
    "err_num_partition_exceed_arch_limit",
    "err_num_partition_mismatch",
    "err_shared_hbm_must_in_kernel_level",
    "err_size_of_dimension_exceed_arch_limit",
    "err_store_dst_shape_smaller_than_other_shape",
    "err_tensor_access_out_of_bound",
    "err_tensor_creation_on_scratchpad_with_init_value_not_supported",
    "err_tensor_output_not_written_to",
    "err_transpose_on_tensor_engine_not_allowed_in_allocated_kernel",
    "err_unexpected_output_dependencies",
    "err_unsupported_expression_in_mask",
    "err_unsupported_memory",
    "err_unsupported_mixing_basic_advanced_tensor_indexing",
    "err_while_loop_requires_unconditional_entry",
]

CONSTRAINTS = [
    "affine_range.no_carried_dep",
    "atomic_rmw.indirect_only",
    "dma_copy.dst_rmw_op",
    "dma_copy.hwdge_shape_legacy",
    "dma_copy.hwdge_target_legacy",
    "dma_copy.mask",
    "dma_copy.mask_conjunction",
    "dma_copy.oob_error",
    "dma_copy.oob_skip",
    "dma_copy.rmw_duplicates",
    "dma_copy.rmw_oob",
    "dma_copy.swdge_pattern_legacy",
    "gather_flattened.index_dtype",
    "index.arange_for_indirect",
    "index.both_axes",
    "index.rank2_onchip",
    "iota.affine_expr",
    "load.partition_limit",
    "load.src_hbm",
    "local_gather.index_dtype",
    "memset.first_axis_partition",
    "output.unwritten",
    "psum_tile_free_limit",
    "start_partition",
    "store.value_sbuf",
    "toplevel.hbm_only",
]

# Rules that hold, under the name of another one or as what an instruction does: the name, or where to look.
UNDER_ANOTHER_NAME = {
    "dma_copy.mask_conjunction": "err_unsupported_expression_in_mask",
    "index.arange_for_indirect": "err_indirect_indices_free_dim",
    "load.partition_limit": "err_num_partition_exceed_arch_limit",
    "load.src_hbm": "err_unsupported_memory",
    "psum_tile_free_limit": "err_size_of_dimension_exceed_arch_limit",
}
IS_WHAT_HAPPENS = {
    "dma_copy.oob_error": "a run-time fault (clause C11), which the edge of a call raises as IndexError",
    "dma_copy.oob_skip": "what a skipping copy does (clause C12)",
    "memset.first_axis_partition": "what nisa.memset does with a par_dim",
    "output.unwritten": "memory that was never written reads as NaN, or as bytes 0xA5",
    "store.value_sbuf": "nl.store copies a PSUM tile to SBUF first",
}

# Rules that nothing checks yet, and why.
NOT_YET = {
    "dma_copy.hwdge_shape_legacy": "stated for one example; its general form is not written anywhere",
    "dma_copy.rmw_duplicates": "not an error: the vendor's compiler synchronises; a hazard for the analysis to report",
    "dma_copy.swdge_pattern_legacy": "which patterns the engine takes is not written anywhere",
    "err_leading_dimension_of_tensor_must_be_partition": "kernels in the field still use block axes; they run",
    "err_while_loop_requires_unconditional_entry": "no scalar() yet: a loop on a tensor is dynamic control flow",
    "index.both_axes": "a limit of the vendor's compiler: t[0:n] of an [n, 1] tile means the same as t[0:n, 0:1] here",
    "local_gather.index_dtype": "nisa.local_gather is not modelled",
    "start_partition": "the page of it describes engines, not the interface; left to the analysis",
}
