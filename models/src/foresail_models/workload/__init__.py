"""A multivariate model of one service: a BiLSTM with attention over an hour of its signals."""
