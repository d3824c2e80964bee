from sklearn.exceptions import ConvergenceWarning as ConvergenceWarning

from fastreg.accumulator import GramAccumulator as GramAccumulator
from fastreg.accumulator import cross_validate_blocks as cross_validate_blocks
from fastreg.composite import minimize as minimize
from fastreg.composite import minimize_path as minimize_path
from fastreg.models import ElasticNet as ElasticNet
from fastreg.models import ElasticNetCV as ElasticNetCV
from fastreg.models import HuberElasticNet as HuberElasticNet
from fastreg.models import HuberElasticNetCV as HuberElasticNetCV
from fastreg.models import Lasso as Lasso
from fastreg.models import LassoCV as LassoCV
from fastreg.models import LogisticRegression as LogisticRegression
from fastreg.models import LogisticRegressionCV as LogisticRegressionCV
from fastreg.models import PoissonRegressor as PoissonRegressor
from fastreg.models import PoissonRegressorCV as PoissonRegressorCV
from fastreg.models import Ridge as Ridge
from fastreg.models import RidgeClassifier as RidgeClassifier
from fastreg.models import RidgeClassifierCV as RidgeClassifierCV
from fastreg.models import RidgeCV as RidgeCV
from fastreg.models import SquaredHingeClassifier as SquaredHingeClassifier
from fastreg.models import StabilitySelection as StabilitySelection
from fastreg.path import Problem as Problem
from fastreg.path import enet_path as enet_path
from fastreg.path import fit_path as fit_path
from fastreg.path import fit_paths as fit_paths
from fastreg.path import lasso_path as lasso_path
from fastreg.report.decision_plots import plot_decision_boundary as plot_decision_boundary
from fastreg.result import RegularizationPath as RegularizationPath
from fastreg.ridge_trace import ridge_path as ridge_path
from fastreg.selection.responses import cross_validate_paths as cross_validate_paths

__all__ = [
    "fit_path",
    "fit_paths",
    "Problem",
    "RegularizationPath",
    "lasso_path",
    "enet_path",
    "ridge_path",
    "minimize",
    "minimize_path",
    "Lasso",
    "ElasticNet",
    "LassoCV",
    "ElasticNetCV",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PoissonRegressor",
    "PoissonRegressorCV",
    "HuberElasticNet",
    "HuberElasticNetCV",
    "SquaredHingeClassifier",
    "StabilitySelection",
    "cross_validate_paths",
    "plot_decision_boundary",
    "GramAccumulator",
    "cross_validate_blocks",
    "ConvergenceWarning",
    "__version__",
]

__version__: str
