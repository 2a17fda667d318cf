/// What became of the lines of `forktail produce`.
package struct ProduceReport: Sendable, Equatable {
    /// Why it ended before its input did.
    package struct GaveUp: Sendable, Equatable {
        package var status: ExitStatus
        package var reason: String
    }

    package var read: Int64 = 0
    package var acknowledged: Int64 = 0
    package var failed: Int64 = 0
    package var isInterrupted = false
    package var gaveUp: GaveUp?
    /// What the first kind of failure means for the exit code.
    package var failureStatus: ExitStatus?

    /// Lines that were read and whose fate is not known.
    package var unacknowledged: Int64 { read - acknowledged - failed }

    /// One line whose numbers add up.
    package var summary: String {
        var text = "\(Quantity.grouped(read)) record\(read == 1 ? "" : "s") read"
        text += " = \(Quantity.grouped(acknowledged)) acknowledged"
        if failed > 0 { text += " + \(Quantity.grouped(failed)) failed" }
        if unacknowledged > 0 {
            text += " + \(Quantity.grouped(unacknowledged)) not acknowledged"
        }
        return text
    }

    package var status: ExitStatus {
        if let gaveUp { return gaveUp.status }
        if isInterrupted { return .temporary }
        return failureStatus ?? .success
    }
}
