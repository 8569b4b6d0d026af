"""The promises between the edges: in one transaction, in order, exactly once, never lost."""
