/// How a producer is doing, for a status line.
package struct ProducerStatistics: Sendable, Equatable {
    package var recordsAcknowledged: Int64 = 0
    package var bytesAcknowledged: Int64 = 0
    package var recordsFailed: Int64 = 0
    /// Batches that were sent again.
    package var batchesRetried: Int64 = 0
    package var batchesSplit: Int64 = 0
    package var requestsSent: Int64 = 0
    package var requestsAnswered: Int64 = 0
    /// From handing a request with records to the socket until its answer, over all requests.
    package var totalRequestLatency = Duration.zero
    package var maxRequestLatency = Duration.zero
    /// How long brokers asked the producer to hold back.
    package var totalThrottle = Duration.zero
    /// Records that were sent again under other numbers though they may have been in the log, for
    /// nobody could tell.
    package var possibleDuplicates: Int64 = 0
    package var connectedBrokers = 0
    /// Whether a broker has answered since the last failure that left none connected.
    ///
    /// A connection that has nothing to do may be closed, so this is not the same as a count over 0.
    package var isConnected = false
    /// Whether the last connection failed because of credentials or certificates.
    package var isRefused = false
    /// Why nothing will be sent, whatever happens: the cluster is another one than the journal's.
    package var refusal: String?
    /// Bytes of `buffer.memory` that nothing holds.
    package var availableBytes = 0
    package var requestsInFlight = 0
    /// Batches that wait or are in flight.
    package var batchesQueued = 0
    /// What went wrong last, nil since all is well.
    package var lastError: String?

    package init() {}

    /// One line, as in `2 brokers, 4 requests in flight, 3.2 ms per request`.
    package var summary: String {
        let brokers = self.connectedBrokers == 1 ? "1 broker" : "\(self.connectedBrokers) brokers"
        var parts = [brokers, "\(self.requestsInFlight) requests in flight"]
        if self.requestsAnswered > 0 {
            let latency = self.totalRequestLatency / self.requestsAnswered
            let tenths = Int64(latency / .microseconds(100))
            parts.append("\(tenths / 10).\(tenths % 10) ms per request")
        }
        return parts.joined(separator: ", ")
    }
}
