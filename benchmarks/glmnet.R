# Rscript glmnet.R FOLDER TOL N P L NNZ TASK LOSS INTERCEPT: reads binary files, writes `coefs`, prints seconds and alpha.
suppressMessages(library(glmnet))
words <- commandArgs(TRUE)
folder <- words[1]
size <- as.integer(words[3:6])
read <- function(name, what, count) readBin(file.path(folder, name), what, count)
y <- read("y", "double", size[1])
alphas <- read("alphas", "double", size[3])
if (size[4] > 0) {
  X <- new("dgCMatrix", i = read("i", "integer", size[4]), p = read("p", "integer", size[2] + 1L),
           x = read("x", "double", size[4]), Dim = size[1:2])
} else {
  X <- matrix(read("X", "double", size[1] * size[2]), size[1], size[2])
}
family <- c(squared = "gaussian", logistic = "binomial", poisson = "poisson")[[words[8]]]
glmnet.control(fdev = 0, devmax = 1)  # the whole grid
options <- list(x = X, y = y, family = family, lambda = alphas, standardize = FALSE, intercept = words[9] == "1",
                thresh = as.numeric(words[2]), maxit = 1e8)
alpha <- 0
start <- proc.time()[3]
if (words[7] == "path") {
  coefs <- do.call(glmnet, options)$beta
} else {
  options$foldid <- rep(1:10, times = size[1] %/% 10 + (1:10 <= size[1] %% 10))
  fit <- do.call(cv.glmnet, options)
  alpha <- fit$lambda.min
  coefs <- coef(fit, s = "lambda.min")[-1, , drop = FALSE]
}
seconds <- proc.time()[3] - start
writeBin(as.vector(as.matrix(coefs)), file.path(folder, "coefs"))
cat(seconds, alpha, "\n")
