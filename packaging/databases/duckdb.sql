-- The files of many machines: `tcplapse -j --label host=$(hostname) > events/$(hostname).jsonl` on each.
CREATE VIEW tcp_events AS
SELECT * FROM read_json('events/*.jsonl', format = 'newline_delimited', columns = {
    host: 'VARCHAR', "time": 'TIMESTAMPTZ', event: 'VARCHAR', "after": 'TIMESTAMPTZ', id: 'VARCHAR',
    local_addr: 'VARCHAR', local_port: 'USMALLINT', remote_addr: 'VARCHAR', remote_port: 'USMALLINT',
    "from": 'VARCHAR', via: 'VARCHAR[]', maybe: 'VARCHAR[]', "to": 'VARCHAR',
    held: 'DOUBLE', held_at_least: 'BOOLEAN', pid: 'INTEGER', process: 'VARCHAR',
    owner_source: 'VARCHAR', opener: 'VARCHAR', closer: 'VARCHAR', verdict: 'VARCHAR',
    reset_by: 'VARCHAR', lived: 'DOUBLE', unit: 'VARCHAR', container: 'VARCHAR', pod: 'VARCHAR',
    reason: 'VARCHAR', count: 'UBIGINT'
});

-- Who leaks: sockets that are still in CLOSE_WAIT, on which machine, since when.
SELECT host, process, count(*) AS sockets, min(since) AS oldest
FROM (
    SELECT host, id,
        arg_max(process, "time") AS process,
        arg_max("to", "time") AS state,
        arg_max(
            "time" - to_microseconds(
                CASE WHEN event = 'present' THEN CAST(coalesce(held, 0) * 1e6 AS BIGINT) ELSE 0 END),
            "time") AS since
    FROM tcp_events
    WHERE event <> 'lost'
    GROUP BY host, id
)
WHERE state = 'CLOSE_WAIT'
GROUP BY host, process
ORDER BY sockets DESC, oldest;

-- The remote ends towards which most sockets went into TIME_WAIT, over the fleet.
SELECT remote_addr, remote_port, count(*) AS sockets, count(DISTINCT host) AS hosts
FROM tcp_events
WHERE "to" = 'TIME_WAIT' OR list_contains(via, 'TIME_WAIT')
GROUP BY remote_addr, remote_port
ORDER BY sockets DESC
LIMIT 10;

-- The mean time in each state, by machine.
SELECT host, "from" AS state, avg(held) AS mean, quantile_cont(held, 0.95) AS p95, count(*) AS sockets
FROM tcp_events
WHERE "from" IS NOT NULL AND held IS NOT NULL AND NOT held_at_least
GROUP BY host, "from"
ORDER BY host, mean DESC;

-- What was not seen.
SELECT host, reason, count(*) AS times, sum(count) AS lost
FROM tcp_events
WHERE event = 'lost'
GROUP BY host, reason;
