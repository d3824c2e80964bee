# Makes glmnet.json, the fits of R's glmnet that test_glmnet.py compares with: Rscript glmnet.R > glmnet.json
suppressMessages(library(glmnet))
set.seed(1)
n <- 60; p <- 8
X <- round(matrix(rnorm(n * p), n) %*% chol(0.5^abs(outer(1:p, 1:p, "-"))) * rep(c(1, 3, 0.2, 1, 10, 1, 0.5, 2), each = n), 4)
X[, 3] <- X[, 3] + 5
y <- round(X[, 1] - 0.5 * X[, 2] + 0.1 * X[, 5] + 2 + rnorm(n), 4)
weights <- round(runif(n, 0.2, 2), 4)
lambda <- c(0.8, 0.4, 0.1, 0.02)
factors <- c(1, 0.5, 0, 2, 1, 1, 3, 1)
lower <- c(-1, -0.2, -1, 0, -1, 0, -0.1, -1)
upper <- c(0.5, 1, 0.5, 1, 0.05, 1, 0.3, 0)
fit <- function(...) {
  path <- glmnet(X, y, lambda = lambda, thresh = 1e-20, maxit = 1e7, ...)
  unname(predict(path, X))
}
fits <- list(
  plain = fit(standardize = FALSE), standardize = fit(standardize = TRUE),
  weights = fit(standardize = FALSE, weights = weights), weights_standardize = fit(standardize = TRUE, weights = weights),
  factors = fit(standardize = FALSE, penalty.factor = factors), factors_standardize = fit(penalty.factor = factors),
  bounds = fit(standardize = FALSE, lower.limits = lower, upper.limits = upper),
  bounds_standardize = fit(lower.limits = lower, upper.limits = upper),
  enet = fit(standardize = FALSE, alpha = 0.4), enet_standardize = fit(alpha = 0.4),
  enet_family = fit(standardize = FALSE, alpha = 0.4, family = gaussian()),
  no_intercept = fit(standardize = FALSE, intercept = FALSE), no_intercept_standardize = fit(intercept = FALSE)
)
binary <- as.integer(X[, 1] - 0.3 * X[, 2] + rlogis(n) > 0)
scores <- cbind(X[, 1], -0.5 * X[, 2], 0.2 * X[, 5]) - log(-log(matrix(runif(3 * n), n)))
classes <- max.col(scores) - 1
counts <- rpois(n, exp(pmin(0.4 * X[, 1] - 0.2 * X[, 2] + 0.5, 3)))
offset <- round(rnorm(n, 0, 0.5), 4)
small <- c(0.1, 0.02)
some <- 1:20
# linear predictors of some rows; of several classes side by side, each row less its mean
fit_family <- function(family, response, offset = NULL, ...) {
  path <- glmnet(X, response, family = family, lambda = small, offset = offset, thresh = 1e-18, maxit = 1e7, ...)
  link <- predict(path, X[some, ], newoffset = offset[some])
  if (family == "multinomial") link <- do.call(cbind, lapply(seq_along(small), function(k) link[, , k] - rowMeans(link[, , k])))
  unname(link)
}
for (family in c("binomial", "multinomial", "poisson")) {
  response <- list(binomial = binary, multinomial = classes, poisson = counts)[[family]]
  add <- function(name, ...) fits[[paste0(family, "_", name)]] <<- fit_family(family, response, ...)
  for (scaled in c(FALSE, TRUE)) {
    named <- function(name) if (scaled) paste0(name, "_standardize") else name
    add(named("plain"), standardize = scaled)
    add(named("weights"), standardize = scaled, weights = weights)
    add(named("factors"), standardize = scaled, penalty.factor = factors)
    add(named("bounds"), standardize = scaled, lower.limits = lower, upper.limits = upper)
    add(named("enet"), standardize = scaled, alpha = 0.4)
    add(named("ridge"), standardize = scaled, alpha = 0)
    add(named("no_intercept"), standardize = scaled, intercept = FALSE)
    if (family != "multinomial") add(named("offset"), standardize = scaled, offset = offset)
  }
}
number <- function(v) paste0("[", paste(formatC(v, digits = 12, format = "g"), collapse = ", "), "]")
table <- function(M) paste0("[", paste(apply(M, 1, number), collapse = ",\n  "), "]")
cat("{\"version\": \"", as.character(packageVersion("glmnet")), "\",\n", sep = "")
cat("\"X\":\n ", table(X), ",\n", sep = "")
for (name in c("y", "weights", "lambda", "factors", "lower", "upper", "binary", "classes", "counts", "offset", "small")) cat("\"", name, "\": ", number(get(name)), ",\n", sep = "")
cat("\"fits\": {\n")
for (name in names(fits)) cat("\"", name, "\":\n ", table(fits[[name]]), if (name != tail(names(fits), 1)) ",", "\n", sep = "")
cat("}}\n")
