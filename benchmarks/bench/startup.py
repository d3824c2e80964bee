"""What the first line of a script costs."""


def timeraw_import():
    return "import fastreg"


def timeraw_import_fit_path():
    return "from fastreg import fit_path"


def timeraw_import_lasso():
    return "from fastreg import Lasso"


for _import in (timeraw_import, timeraw_import_fit_path, timeraw_import_lasso):
    _import.number = 1  # a second import in the same process costs nothing
    _import.repeat = (3, 5, 5.0)
