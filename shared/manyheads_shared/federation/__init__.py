"""What both sides of a federated training agree on: plan, updates, firewall, aggregation, record. Pure numpy, no Flower.

The contributor kit's side trains (`manyheads_contributor.federation`), the maintainer's side coordinates
(`manyheads_hub.federation`).
"""
