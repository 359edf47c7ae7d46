"""The peers: a file and a list of packages each, NAME.py and NAME.txt.

A file's class Library is what attention.py and step.py know of a peer:

Library(threads, ranks)   sets the library up; once, before it computes
title, version            what tables call it
length                    tokens of a context if nothing is said
has_ring                  whether several ranks may share a context
array, numbers            from numpy and back; tokens: an array whose rows are shared out to the ranks
split, join               (tokens x width) to heads as attend takes them, and back
attend                    causal attention: query, key, value to output
linear, norm, relu, gelu, tanh, stack                 what else a transformer is made of
compiled(function)        the function made fast; returns when its results are there
differentiated(function)  of (inputs, d_output): output and the gradients of the inputs
Trainer(loss, weights, batch, recipe)                 training of the scalar loss(weights, batch):
                          differentiate(): loss and gradients; step(): one step of clipped AdamW
"""
