from sklearn.exceptions import ConvergenceWarning as ConvergenceWarning

from fastreg.models import ElasticNet as ElasticNet
from fastreg.models import Lasso as Lasso
from fastreg.path import Problem as Problem
from fastreg.path import enet_path as enet_path
from fastreg.path import fit_path as fit_path
from fastreg.path import fit_paths as fit_paths
from fastreg.path import lasso_path as lasso_path
from fastreg.result import RegularizationPath as RegularizationPath

__all__ = [
    "fit_path",
    "fit_paths",
    "Problem",
    "RegularizationPath",
    "lasso_path",
    "enet_path",
    "Lasso",
    "ElasticNet",
    "ConvergenceWarning",
    "__version__",
]

__version__: str
