import Glibc
package import Logging

/// Writes log lines to standard error: text on a terminal, JSON elsewhere.
package struct StructuredLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var logLevel: Logger.Level
    private let format: LogLine.Format

    /// - Parameter format: `nil` chooses by whether standard error is a terminal.
    package init(level: Logger.Level, format: LogLine.Format?) {
        self.logLevel = level
        self.format = format ?? (isatty(STDERR_FILENO) == 1 ? .text : .json)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line = LogLine(
            timestamp: Self.timestamp(wallClockMilliseconds()),
            level: event.level,
            message: "\(event.message)",
            metadata: metadata.merging(event.metadata ?? [:]) { $1 }
        )
        writeToStandardError(line.rendered(as: format) + "\n")
    }

    private static func timestamp(_ milliseconds: Int64) -> String {
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let text = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { buffer in
            let start = buffer.bindMemory(to: CChar.self)
            let count = strftime(start.baseAddress, 32, "%Y-%m-%dT%H:%M:%S", &parts)
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
        let fraction = milliseconds % 1000
        let padding = fraction < 10 ? "00" : fraction < 100 ? "0" : ""
        return "\(text).\(padding)\(fraction)Z"
    }
}
