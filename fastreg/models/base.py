"""What the linear models have in common once they are fitted."""

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fastreg import validation
from fastreg.result import linear_predictor


class LinearModel(BaseEstimator):
    """`coef_` and `intercept_`, and the record of the columns they belong to."""

    @property
    def sparse_coef_(self):
        """`coef_` as a sparse CSR matrix of shape (1, p) or (k, p)."""
        return sparse.csr_matrix(np.atleast_2d(self.coef_))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _predict_linear(self, X):
        """X w + b, (m,) or (m, k), for an X with the columns of the fit."""
        check_is_fitted(self)
        given = X
        X, names = validation.as_matrix(X)
        if names is not None or hasattr(self, "feature_names_in_") or X.shape[1] != self.n_features_in_:
            named = given if names is not None else X
            validate_data(self, named, reset=False, skip_check_array=True)  # scikit-learn's errors and warnings
        validation.check_finite(X, names)
        return linear_predictor(X, self.coef_.T, self.intercept_)

    def _store_columns(self, n_features, names):
        self.n_features_in_ = n_features
        if names is not None:
            self.feature_names_in_ = names
        else:
            self.__dict__.pop("feature_names_in_", None)


class LinearRegressor(MultiOutputMixin, RegressorMixin, LinearModel):
    """A linear model of numbers."""

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
        prediction = self._predict_linear(X)
        offset = validation.as_offset(offset, len(prediction))
        if offset is None:
            return prediction
        return prediction + (offset if prediction.ndim == 1 else offset[:, None])


class LinearClassifier(ClassifierMixin, LinearModel):
    """A linear model of labels `classes_`, or with `_multilabel` of k labels that each hold or not."""

    def decision_function(self, X):
        """The linear predictor of each class.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m,) for two classes, positive for ``classes_[1]``, or else (m, k)
        """
        return self._predict_linear(X)

    def predict(self, X):
        """The class with the largest decision value, or for labels that each hold or not, those with a positive one.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, p)

        Returns
        -------
        ndarray of shape (m,) of `classes_`, or of shape (m, k) of 0 and 1
        """
        return labels_of(self.decision_function(X), self.classes_, self._multilabel)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def labels_of(decision, classes, multilabel=False):
    """The labels that decision values (m,) or (m, k) stand for."""
    if multilabel:
        return (decision > 0).astype(int)
    if decision.ndim == 2:
        return classes[decision.argmax(axis=1)]
    return classes[(decision > 0) * (len(classes) - 1)]


class Given(RegressorMixin, BaseEstimator):
    """Stands before a scorer in place of a fitted regressor: it predicts what it is given."""

    def predict(self, X):
        return X
