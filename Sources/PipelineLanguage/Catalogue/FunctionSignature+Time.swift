extension FunctionSignature {
    static let formatTime = Self(
        .time,
        [.value("time", .time), .value("format", .timeFormat), .label("zone", .zone)],
        .string,
        "the time as text, by the letters of a `time(…)` column; in UTC unless a zone is given",
        [
            .init("format_time(@now, '%d.%m.%Y %H:%M')", #""23.11.2026 10:00""#),
            .init(
                #"format_time(@now, iso8601, zone: "Europe/Berlin")"#,
                #""2026-11-23T11:00:00+01:00""#
            ),
            .init("format_time(@now, '%Y/%m/%d/%H')", #""2026/11/23/10""#),
        ]
    )
    static let unix = Self(
        .time,
        [.value("time", .time)],
        .int,
        "seconds since 1970",
        [.init("unix(@now)", "1795428000")]
    )
    static let unixMilliseconds = Self(
        .time,
        [.value("time", .time)],
        .int,
        "milliseconds since 1970",
        [.init("unix_ms(@now)", "1795428000000")]
    )
    static let unixNanoseconds = Self(
        .time,
        [.value("time", .time)],
        .int,
        "nanoseconds since 1970",
        [.init("unix_ns(@now)", "1795428000000000000")]
    )
    static let trunc = Self(
        .time,
        [.value("time", .time), .value("step", .duration)],
        .time,
        "the time, rounded down to a multiple of the step since 1970 in UTC",
        [
            .init(
                #"trunc(time("2026-11-23T10:59:59Z", iso8601), 1h)"#,
                #""2026-11-23T10:00:00Z""#
            )
        ]
    )
    static let age = Self(
        .time,
        [.value("time", .time)],
        .duration,
        "how long ago the time was when the line was read (`@now`)",
        [
            .init(#"age(time("2026-11-23T09:58:30Z", iso8601))"#, #""1m30s""#),
            .init(#"age(time("2026-11-22T10:00:00Z", iso8601)) > 1h"#, "true"),
        ]
    )
}
