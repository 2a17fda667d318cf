import Glibc

/// When clocks of a place were set by how much, from the system's time zone database.
///
/// Own code, for the C library knows one zone a process and Foundation would cost 12 MB. The
/// format is RFC 8536 (TZif).
package struct TimeZoneRules: Sendable {
    private struct Transition: Sendable {
        let time: Int64
        let offset: Int64
    }

    private static let folders = ["/usr/share/zoneinfo/", "/usr/lib/zoneinfo/", "/etc/zoneinfo/"]
    private static let longestFile = 1 << 20

    private let firstOffset: Int64
    private let transitions: [Transition]
    /// What holds after the last transition, each year anew.
    private let rule: YearlyRule?

    /// - Throws: `TimeZoneError` for a name that this system does not know.
    package init(named name: String) throws(TimeZoneError) {
        if name == "UTC" || name == "Etc/UTC" || name == "GMT" || name == "Z" {
            firstOffset = 0
            transitions = []
            rule = nil
            return
        }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard !name.isEmpty, !parts.contains(where: { $0.isEmpty || $0.hasPrefix(".") }) else {
            throw TimeZoneError(description: "a zone's name is like \"Europe/Berlin\"")
        }
        guard let bytes = Self.folders.lazy.compactMap({ Self.read($0 + name) }).first else {
            throw TimeZoneError(description: "there is no such zone; is tzdata installed?")
        }
        guard let table = ZoneFile(bytes) else {
            throw TimeZoneError(description: "its file in the zone database cannot be understood")
        }
        firstOffset = table.firstOffset
        transitions = zip(table.times, table.offsets).map { Transition(time: $0, offset: $1) }
        rule = YearlyRule(table.footer)
    }

    /// Seconds east of UTC at a local time, counted as if it were UTC.
    ///
    /// A time that clocks skip takes the offset before, one that they show twice the earlier.
    package func utcOffset(forLocalSeconds local: Int64) -> Int {
        // The offset is what holds at the moment that it makes of the local time; of two such
        // moments the earlier one counts.
        let candidates = [local - 86_400, local + 86_400].map { offset(at: $0) }
        let fitting = candidates.filter { offset(at: local - $0) == $0 }
        return Int(fitting.max() ?? candidates[0])
    }

    /// Seconds east of UTC at a moment, in seconds since 1970.
    package func utcOffset(atSeconds time: Int64) -> Int64 { offset(at: time) }

    private func offset(at time: Int64) -> Int64 {
        guard let last = transitions.last else { return rule?.offset(at: time) ?? firstOffset }
        if time >= last.time { return rule?.offset(at: time) ?? last.offset }
        var low = 0
        var high = transitions.count
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].time <= time { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : transitions[low - 1].offset
    }

    private static func read(_ path: String) -> [UInt8]? {
        guard let stream = fopen(path, "rbe") else { return nil }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: longestFile)
        let count = fread(&bytes, 1, bytes.count, stream)
        return count > 0 ? Array(bytes[..<count]) : nil
    }
}

/// Why a time zone cannot be used.
package struct TimeZoneError: Error, CustomStringConvertible {
    package let description: String
}
