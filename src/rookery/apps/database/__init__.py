"""PostgreSQL with automatic failover: Patroni on the workers, etcd on the control plane, RBD volumes."""
