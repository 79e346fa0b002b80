"""Running a kernel instruction by instruction, on concrete memory, while its function runs."""
