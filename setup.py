"""Build the Cython kernels; everything else is in pyproject.toml."""

import os
import re
import sys
import sysconfig
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

debug = os.environ.get("FASTREG_DEBUG") == "1"
release = os.environ.get("FASTREG_ABI3") == "1"
abi3 = release and not sysconfig.get_config_var("Py_GIL_DISABLED")

variables = sysconfig.get_config_vars()
if "LDSHARED" in variables:  # some Pythons write their own folder into what they link; the kernels need nothing there
    variables["LDSHARED"] = re.sub(r"-Wl,-rpath[=,]\S+", "", variables["LDSHARED"])

flags = ["/O2"] if sys.platform == "win32" else ["-O3", "-g0", "-ffp-contract=fast"]
if release and sys.platform == "linux":
    flags.append("-fno-asynchronous-unwind-tables")  # nothing unwinds through kernels; a twentieth of a wheel

extensions = [
    Extension(
        f"fastreg.kernels.{Path(source).stem}",
        [source],
        include_dirs=["fastreg/kernels"],
        depends=sorted(glob("fastreg/kernels/*.h")),
        extra_compile_args=flags,
        extra_link_args=["-Wl,--strip-all"] if release and sys.platform == "linux" else [],
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
            "auto_pickle": False,  # parts and states are not pickled, and support for it takes a tenth of a wheel
        },
    ),
    options={
        "build_ext": {"parallel": os.cpu_count()},
        "bdist_wheel": {"py_limited_api": "cp311"} if abi3 else {},
    },
)
