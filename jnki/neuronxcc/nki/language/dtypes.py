"""Element types as the legacy dialect spells them: NumPy's and ml_dtypes' own."""

import numpy as np

from jnki import dtypes

int8 = np.int8
int16 = np.int16
int32 = np.int32
uint8 = np.uint8
uint16 = np.uint16
uint32 = np.uint32
bool_ = np.bool_
float16 = np.float16
float32 = np.float32
tfloat32 = dtypes.tfloat32.numpy
bfloat16 = dtypes.bfloat16.numpy
float8_e4m3 = dtypes.float8_e4m3.numpy
float8_e5m2 = dtypes.float8_e5m2.numpy
