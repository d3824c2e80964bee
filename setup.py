"""Build the Cython kernels; everything else is in pyproject.toml."""

import os
import sys
import sysconfig
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

debug = os.environ.get("FASTREG_DEBUG") == "1"
abi3 = os.environ.get("FASTREG_ABI3") == "1" and not sysconfig.get_config_var("Py_GIL_DISABLED")

extensions = [
    Extension(
        f"fastreg.kernels.{Path(source).stem}",
        [source],
        include_dirs=["fastreg/kernels"],
        depends=sorted(glob("fastreg/kernels/*.h")),
        extra_compile_args=["/O2"] if sys.platform == "win32" else ["-O3", "-g0", "-ffp-contract=fast"],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if abi3 else [],
        py_limited_api=abi3,
    )
    for source in sorted(glob("fastreg/kernels/*.pyx"))
]

setup(
    ext_modules=cythonize(
        extensions,
        build_dir="build/cython-debug" if debug else "build/cython",  # a changed directive alone rebuilds nothing
        compiler_directives={
            "language_level": 3,
            "boundscheck": debug,
            "initializedcheck": debug,
            "wraparound": False,
            "cdivision": True,
            "freethreading_compatible": True,
        },
    ),
    options={
        "build_ext": {"parallel": os.cpu_count()},
        "bdist_wheel": {"py_limited_api": "cp311"} if abi3 else {},
    },
)
