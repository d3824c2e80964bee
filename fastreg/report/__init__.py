"""Tables, plots and the command line. Matplotlib and scikit-learn are loaded when a function needs them."""
