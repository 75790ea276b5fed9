-- The functions that users call. None is SECURITY DEFINER: each checks that the caller may act
-- as the table's owner. search_path is pinned, so that names in definitions come out qualified
-- and no other schema's operators are used.

CREATE FUNCTION convert_to_partitioned(
    source regclass,
    partition_column text,
    strategy text DEFAULT 'range',
    partition_interval text DEFAULT NULL,
    premake integer DEFAULT 4,
    default_partition boolean DEFAULT true,
    time_zone text DEFAULT NULL,
    range_start text DEFAULT NULL,
    range_end text DEFAULT NULL,
    copy_workers integer DEFAULT NULL,
    undo_window interval DEFAULT '1 day',
    dry_run boolean DEFAULT false
) RETURNS TABLE (step integer, phase text, statement text, lock text, note text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'convert_to_partitioned_wrapper';
COMMENT ON FUNCTION convert_to_partitioned(regclass, text, text, text, integer, boolean, text, text, text, integer, interval, boolean) IS
    'turns a table into a partitioned one while it is used: returns the plan and, unless dry_run, starts the work in the background when the transaction commits';

CREATE FUNCTION pause_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'pause_conversion_wrapper';
COMMENT ON FUNCTION pause_conversion(regclass) IS
    'stops the work on a conversion before its swap; changes of the table are still captured';

CREATE FUNCTION resume_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'resume_conversion_wrapper';
COMMENT ON FUNCTION resume_conversion(regclass) IS
    'goes on with a conversion that was paused, has failed, or has lost its worker';

CREATE FUNCTION cancel_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'cancel_conversion_wrapper';
COMMENT ON FUNCTION cancel_conversion(regclass) IS
    'takes a conversion back before its swap: the table stays as it is, and nothing is left beside it';

CREATE FUNCTION finish_conversion(source regclass) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS 'MODULE_PATHNAME', 'finish_conversion_wrapper';
COMMENT ON FUNCTION finish_conversion(regclass) IS
    'ends a conversion after its swap: drops the retired table';

-- No SET clause here: a procedure with one cannot end its transaction.
CREATE PROCEDURE wait_for_conversion(source regclass, timeout interval DEFAULT NULL)
LANGUAGE c
AS 'MODULE_PATHNAME', 'wait_for_conversion';
COMMENT ON PROCEDURE wait_for_conversion(regclass, interval) IS
    'returns when a conversion has made its swap, or fails with its error; holds no snapshot while it waits';
