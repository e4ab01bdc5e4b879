"""Names that an element may not have."""

_SQL = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
    except false fetch for foreign freeze from full grant group having ilike in initially inner intersect into
    is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null offset on
    only or order outer overlaps placing primary references returning right select session_user similar some
    symmetric table tablesample then to trailing true union unique user using variadic verbose when where
    window with"""
SQL = frozenset(_SQL.split())
"""Words that PostgreSQL does not take as a column without quotes, and XNAT does not quote."""

_OF_BASES = """
    acquisition_site age custom_fields date delay duration extension fields id imagesession_id in
    insert_date insert_user investigator label meta note original out parameters project protocol resources
    sharing status subject_id time validation version visit visit_id"""
OF_BASES = frozenset(_OF_BASES.split())
"""Members of the base types, which an element of the same name would hide."""
