/// What a producer is told before it starts, under Apache Kafka's names and with its defaults.
///
/// Set the properties in Swift, or by Kafka's own names with ``set(_:to:)``:
/// ```swift
/// var configuration = KafkaProducerConfiguration(bootstrapServers: ["broker1:9092"])
/// try configuration.set("linger.ms", to: "20")
/// ```
public struct KafkaProducerConfiguration: Sendable, Equatable {
    /// Who must have a record before it counts as acknowledged.
    public enum Acknowledgements: Int16, Sendable {
        /// Nobody: nothing is promised.
        case none = 0
        /// The leader alone: a leader that dies takes acknowledged records with it.
        case leader = 1
        /// All in-sync replicas.
        case all = -1
    }

    /// How record batches are compressed.
    public enum CompressionType: String, Sendable, CaseIterable {
        case none, gzip, snappy, lz4, zstd
    }

    /// What to do when no broker that is known answers (KIP-899).
    public enum MetadataRecoveryStrategy: String, Sendable, CaseIterable {
        /// Ask `bootstrap.servers` again.
        case rebootstrap
        /// Go on with the brokers that are known.
        case none
    }

    /// `bootstrap.servers`: where the cluster is first asked, as `host:port`.
    public var bootstrapServers: [String]
    /// `client.id`: the name in the broker's logs and quotas.
    public var clientID = Self.defaultClientID
    /// `acks`.
    public var acknowledgements = Acknowledgements.all
    /// `enable.idempotence`: the broker drops what it was sent twice.
    public var isIdempotenceEnabled = true
    /// `max.in.flight.requests.per.connection`.
    public var maxInFlightRequests = Self.inFlightRequestLimit
    /// `delivery.timeout.ms`: nil waits for ever, for a log file is its own queue.
    public var deliveryTimeout: Duration?
    /// `request.timeout.ms`.
    public var requestTimeout = Duration.seconds(30)
    /// `retry.backoff.ms`.
    public var retryBackoff = Duration.milliseconds(100)
    /// `retry.backoff.max.ms`.
    public var retryBackoffMax = Duration.milliseconds(1000)
    /// `linger.ms`: how long a batch that is not full waits for more records.
    public var linger = Duration.milliseconds(5)
    /// `batch.size` in bytes, before compression.
    public var batchSize = 262_144
    /// `buffer.memory` in bytes: all batches that are open, waiting or in flight.
    public var bufferMemory = 33_554_432
    /// `max.block.ms`: how long a record may wait for room in `buffer.memory` and for word of its
    /// topic; nil for as long as it takes.
    public var maxBlock: Duration?
    /// `max.request.size` in bytes: the limit of a request, and of one record before compression.
    public var maxRequestSize = 1_048_576
    /// `compression.type`.
    public var compressionType = CompressionType.none
    /// `compression.gzip.level`.
    public var gzipLevel: Int32?
    /// `compression.lz4.level`.
    public var lz4Level: Int32?
    /// `compression.zstd.level`.
    public var zstdLevel: Int32?
    /// `partitioner.ignore.keys`.
    public var partitionerIgnoresKeys = false
    /// `partitioner.adaptive.partitioning.enable`.
    public var isAdaptivePartitioningEnabled = true
    /// `metadata.max.age.ms`.
    public var metadataMaxAge = Duration.seconds(300)
    /// `metadata.max.idle.ms`: a topic without a record for so long is not asked about any more.
    public var metadataMaxIdle = Duration.seconds(300)
    /// `metadata.recovery.strategy`.
    public var metadataRecoveryStrategy = MetadataRecoveryStrategy.rebootstrap
    /// `metadata.recovery.rebootstrap.trigger.ms`: how long the cluster is asked without an answer
    /// before `bootstrap.servers` are (KIP-1102).
    public var rebootstrapTrigger = Duration.seconds(300)
    /// `allow.auto.create.topics`.
    public var allowsAutoCreateTopics = true
    /// `reconnect.backoff.ms`.
    public var reconnectBackoff = Duration.milliseconds(50)
    /// `reconnect.backoff.max.ms`.
    public var reconnectBackoffMax = Duration.milliseconds(1000)
    /// `socket.connection.setup.timeout.ms`.
    public var connectionSetupTimeout = Duration.seconds(10)
    /// `socket.connection.setup.timeout.max.ms`: the same after failures, each of which doubles it.
    public var connectionSetupTimeoutMax = Duration.seconds(30)
    /// `connections.max.idle.ms`: a connection that had nothing to do for so long is closed.
    public var connectionsMaxIdle = Duration.seconds(540)
    /// `send.buffer.bytes`: -1 leaves it to the system.
    public var sendBufferSize = -1
    /// `receive.buffer.bytes`: -1 leaves it to the system.
    public var receiveBufferSize = -1
    /// `receive.message.max.bytes`: a longer answer closes the connection.
    public var maxAnswerSize = 16_777_216
    /// `transactional.id`: the name under which transactions survive a restart; nil for none.
    public var transactionalID: String?
    /// `transaction.timeout.ms`: when the broker aborts a transaction that is not ended.
    public var transactionTimeout = Duration.seconds(60)
    /// `security.protocol`.
    public var securityProtocol = SecurityProtocol.plaintext
    /// Whether batches are written down before they are sent.
    package var isJournaled = false
    /// Whether all of them are, and not only those that may be in flight soon.
    ///
    /// For records whose source may be gone by then.
    package var journalsFarAhead = false
    /// The properties `ssl.*`.
    public var tls = TLSSettings()
    /// The properties `sasl.*`.
    public var sasl = SASLSettings()

    static let inFlightRequestLimit = 5  // Kafka remembers the last five batches per producer

    public init(bootstrapServers: [String]) {
        self.bootstrapServers = bootstrapServers
    }

    /// The level for `compressionType`, nil for the codec's own default.
    package var compressionLevel: Int32? {
        switch self.compressionType {
        case .gzip: self.gzipLevel
        case .lz4: self.lz4Level
        case .zstd: self.zstdLevel
        case .none, .snappy: nil
        }
    }

    /// Throws where two values contradict each other or one makes no sense.
    public func validate() throws(KafkaProducerError) {
        if self.bootstrapServers.isEmpty {
            throw .configuration("bootstrap.servers is empty: name at least one host:port")
        }
        for server in self.bootstrapServers {
            _ = try BrokerAddress(parsing: server)
        }
        try self.validateGuarantees()
        try self.validateSizes()
        try self.validateSecurity()
    }

    private func validateGuarantees() throws(KafkaProducerError) {
        let limit = Self.inFlightRequestLimit
        if self.maxInFlightRequests < 1 {
            throw .configuration("max.in.flight.requests.per.connection must be at least 1")
        }
        if self.transactionalID?.isEmpty ?? false {
            throw .configuration("transactional.id is empty: leave it out, or give it a name")
        }
        guard self.isIdempotenceEnabled || self.transactionalID == nil else {
            throw .configuration("transactional.id needs enable.idempotence=true")
        }
        guard self.isIdempotenceEnabled && self.transactionalID == nil || !self.isJournaled else {
            throw .configuration(
                "batches that are journaled need enable.idempotence=true and no transactional.id"
            )
        }
        guard self.isIdempotenceEnabled else { return }
        if self.acknowledgements != .all {
            throw .configuration(
                "acks=\(self.acknowledgements.rawValue) needs enable.idempotence=false"
            )
        }
        if self.maxInFlightRequests > limit {
            throw .configuration(
                "max.in.flight.requests.per.connection may be at most \(limit) with"
                    + " enable.idempotence=true"
            )
        }
    }

    private func validateSizes() throws(KafkaProducerError) {
        if self.batchSize > self.bufferMemory {
            throw .configuration("batch.size is greater than buffer.memory")
        }
        if self.maxRequestSize > self.bufferMemory {
            throw .configuration("max.request.size is greater than buffer.memory")
        }
        if self.batchSize > self.maxRequestSize {
            throw .configuration("batch.size is greater than max.request.size")
        }
        if self.retryBackoff > self.retryBackoffMax {
            throw .configuration("retry.backoff.ms is greater than retry.backoff.max.ms")
        }
        if self.reconnectBackoff > self.reconnectBackoffMax {
            throw .configuration("reconnect.backoff.ms is greater than reconnect.backoff.max.ms")
        }
        if self.connectionSetupTimeout > self.connectionSetupTimeoutMax {
            throw .configuration(
                "socket.connection.setup.timeout.ms is greater than"
                    + " socket.connection.setup.timeout.max.ms"
            )
        }
    }
}

/// Where a broker listens.
package struct BrokerAddress: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `host` (port 9092) and `[v6 address]:port`.
    package init(parsing text: String) throws(KafkaProducerError) {
        let (host, port) = Self.split(text)
        let number = port.isEmpty ? 9092 : Int(port)
        guard !host.isEmpty, let number, (1...65535).contains(number) else {
            throw .configuration("\"\(text)\" in bootstrap.servers is not host:port")
        }
        self.init(host: host, port: number)
    }

    package var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }

    private static func split(_ text: String) -> (host: String, port: String) {
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            let host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (String(host), "") }
            return rest.hasPrefix(":") ? (String(host), String(rest.dropFirst())) : ("", "")
        }
        guard let colon = text.lastIndex(of: ":") else { return (text, "") }
        let host = text[..<colon]
        let port = text[text.index(after: colon)...]
        return host.contains(":") || port.isEmpty ? ("", "") : (String(host), String(port))
    }
}
