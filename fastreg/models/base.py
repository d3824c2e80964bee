"""What the linear regressors have in common once they are fitted."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastreg import validation
from fastreg.result import linear_predictor


class LinearRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Prediction from `coef_` and `intercept_`, and the record of the columns they belong to."""

    def predict(self, X, offset=None):
        """Predict with the fitted coefficients.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)
        offset : array-like of shape (m,), default=None
            Added to the prediction of each row.

        Returns
        -------
        ndarray of shape (m,), or (m, k) after a fit of k > 1 responses
        """
        check_is_fitted(self)
        given = X
        X, names = validation.as_matrix(X)
        if names is not None or hasattr(self, "feature_names_in_") or X.shape[1] != self.n_features_in_:
            named = given if names is not None else X
            validate_data(self, named, reset=False, skip_check_array=True)  # scikit-learn's errors and warnings
        validation.check_finite(X, names)
        prediction = linear_predictor(X, self.coef_.T, self.intercept_)
        offset = validation.as_offset(offset, X.shape[0])
        if offset is None:
            return prediction
        return prediction + (offset if prediction.ndim == 1 else offset[:, None])

    @property
    def sparse_coef_(self):
        """`coef_` as a sparse CSR matrix of shape (1, p) or (k, p)."""
        return sparse.csr_matrix(np.atleast_2d(self.coef_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _store_columns(self, n_features, names):
        self.n_features_in_ = n_features
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)
