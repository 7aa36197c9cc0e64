"""An owner's side of a federated training: a policy of the owner's own, the images, and a round of training on them.

`client_app` speaks Flower and `node` starts Flower's SuperNode; the rest knows no Flower.
"""
