"""Show how a trained model scores single clips.

Layer 7 of 7: imports training, model, features and below. What needs the model and single clips
belongs here; today that is the report's examples. Measurements that need only scores and labels
belong in metrics.
"""
