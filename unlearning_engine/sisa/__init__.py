"""Exact unlearning by sharded, isolated, sliced and aggregated training (SISA).

Bourtoule et al. 2021, Machine Unlearning (arXiv:1912.03817). A record's influence stays in one shard, from
one slice on; deleting it restores the checkpoint before that slice and trains on without it. Order, schedule
and seeds of a stage (one slice of one shard) derive from the lineage's seed and the records of that stage
alone, so that the result equals, bit for bit, a training that never saw the record. Retraining from scratch
is the case of one shard and one slice.

    placement     which shard and slice a record falls into (`unlearning_engine.placement`, standard library)
    workload      what is trained: language models, adapters, classifiers
    stages        one shard, slice after slice, resumable
    lineage       the folder and its manifests: digests of data, order, seed, code, versions, checkpoint
    building      a lineage from data, its shards trained here or apart
    deleting      a lineage without some of its records
    structure, replay, claims, commitments, purge   what others may check, and what must go
    export, modeling, ensembles, aggregation        the shards as one model
"""
