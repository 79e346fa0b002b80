"""Re-rolling: a long recording that repeats itself becomes loops again."""
