-- The events of many machines: `tcplapse -j --label host=$(hostname)` on each.
CREATE TABLE tcp_events
(
    host LowCardinality(String),
    time DateTime64(6, 'UTC'),
    event LowCardinality(String),
    after Nullable(DateTime64(6, 'UTC')),
    id String,
    netns Nullable(UInt64),
    family LowCardinality(String),
    local_addr String,
    local_port UInt16,
    remote_addr String,
    remote_port UInt16,
    `from` LowCardinality(Nullable(String)),
    via Array(LowCardinality(String)),
    maybe Array(LowCardinality(String)),
    `to` LowCardinality(String),
    held Nullable(Float64),
    held_at_least Bool,
    pid Nullable(Int32),
    process LowCardinality(Nullable(String)),
    owner_source LowCardinality(String),
    uid Nullable(UInt32),
    opener LowCardinality(Nullable(String)),
    closer LowCardinality(Nullable(String)),
    verdict LowCardinality(Nullable(String)),
    reset_by LowCardinality(Nullable(String)),
    source LowCardinality(String),
    lived Nullable(Float64),
    unit LowCardinality(Nullable(String)),
    container LowCardinality(Nullable(String)),
    pod LowCardinality(Nullable(String)),
    -- Of the records `lost`, which have none of the above but host, time and event.
    reason LowCardinality(Nullable(String)),
    count Nullable(UInt64)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (host, time)
TTL toDateTime(time) + INTERVAL 30 DAY;

-- Who leaks: sockets that are still in CLOSE_WAIT, on which machine, since when.
SELECT host, process, count() AS sockets, min(since) AS oldest
FROM
(
    SELECT host, id,
        argMax(process, time) AS process,
        argMax(`to`, time) AS state,
        argMax(subtractMicroseconds(time, if(event = 'present', ifNull(held, 0) * 1e6, 0)), time) AS since
    FROM tcp_events
    WHERE event != 'lost'
    GROUP BY host, id
)
WHERE state = 'CLOSE_WAIT'
GROUP BY host, process
ORDER BY sockets DESC, oldest;

-- The remote ends towards which most sockets went into TIME_WAIT, over the fleet.
SELECT remote_addr, remote_port, count() AS sockets, uniqExact(host) AS hosts
FROM tcp_events
WHERE `to` = 'TIME_WAIT' OR has(via, 'TIME_WAIT')
GROUP BY remote_addr, remote_port
ORDER BY sockets DESC
LIMIT 10;

-- The mean time in each state, by machine.
SELECT host, `from` AS state, avg(held) AS mean, quantile(0.95)(held) AS p95, count() AS sockets
FROM tcp_events
WHERE `from` IS NOT NULL AND held IS NOT NULL AND NOT held_at_least
GROUP BY host, state
ORDER BY host, mean DESC;

-- What was not seen.
SELECT host, reason, count() AS times, sum(count) AS lost
FROM tcp_events
WHERE event = 'lost'
GROUP BY host, reason;
