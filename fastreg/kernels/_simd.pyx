"""The wide loops, compiled once for each instruction set; the other kernels share the table of those to run."""

cdef extern from "simd.h" nogil:
    SimdTable chosen "fr_simd"
    int choose "fr_simd_init"()

if choose() != 0:
    raise ImportError("FASTREG_SIMD must be baseline, avx2 or avx512, and this machine must have it")
simd = chosen
