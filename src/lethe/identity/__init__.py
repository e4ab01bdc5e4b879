"""Who a patient becomes: PRID pool, intake session and its end, one date shift per patient."""
