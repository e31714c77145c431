"""Certified unlearning for linear heads, with the training data or with a surrogate in their place.

After Basaran et al. 2025, A certified unlearning approach without access to source data (ICML, arXiv:2506.06486): one
Newton step away from the rows to forget, and Gaussian noise that hides what the step left. What of it was found wrong
is said where it is done otherwise (`bounds`, `closeness`).

    convex      losses with gradient, Hessian and the constants that the proof needs; Newton's method
    heads       the folder of a head: config.json, model.safetensors; what a head keeps of its training set
    fitting     training
    closeness   how far the surrogate's Hessian may lie from that of the training set
    bounds      how far the step may end from the retrained head
    noise       calibration, composition over requests, noise from a cryptographic stream
    newton      the request, top to bottom
    claims      the assumptions and the sentence
    audit       the empirical epsilon of an attack
"""
