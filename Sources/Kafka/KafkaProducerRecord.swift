/// What a key, a value or a header can be made of.
public protocol KafkaBytes: Sendable {
    /// The bytes as they go on the wire.
    var kafkaBytes: [UInt8] { get }
}

extension String: KafkaBytes {
    @inlinable public var kafkaBytes: [UInt8] { Array(self.utf8) }
}

extension Substring: KafkaBytes {
    @inlinable public var kafkaBytes: [UInt8] { Array(self.utf8) }
}

extension [UInt8]: KafkaBytes {
    @inlinable public var kafkaBytes: [UInt8] { self }
}

/// Names and values that travel with a record, in order; a name may come more than once.
///
/// ```swift
/// let headers: KafkaHeaders = ["trace-id": "t-77", "empty": nil]
/// ```
public struct KafkaHeaders: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    public struct Header: Sendable, Hashable {
        public var name: String
        public var value: [UInt8]?

        @inlinable
        public init(name: String, value: [UInt8]?) {
            self.name = name
            self.value = value
        }
    }

    public var headers: [Header]

    @inlinable
    public init(_ headers: [Header] = []) {
        self.headers = headers
    }

    @inlinable
    public init(dictionaryLiteral elements: (String, (any KafkaBytes)?)...) {
        self.headers = elements.map { Header(name: $0.0, value: $0.1?.kafkaBytes) }
    }
}

/// A record for a topic.
public struct KafkaProducerRecord: Sendable, Hashable {
    public var topic: String
    /// Nil lets the key choose, and without a key the producer.
    public var partition: Int32?
    public var key: [UInt8]?
    public var value: [UInt8]?
    public var headers: KafkaHeaders
    /// Milliseconds since 1970; nil for the time of sending.
    public var timestamp: Int64?

    // Inlined where records are made: there it is known what the bytes are of, and nothing is boxed.
    @inlinable
    public init(
        topic: String,
        partition: Int32? = nil,
        key: (any KafkaBytes)? = nil,
        value: (any KafkaBytes)?,
        headers: KafkaHeaders = [:],
        timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key?.kafkaBytes
        self.value = value?.kafkaBytes
        self.headers = headers
        self.timestamp = timestamp
    }
}

/// Where a record ended up.
public struct RecordMetadata: Sendable, Hashable {
    public var topic: String
    public var partition: Int32
    /// Its place in the partition; -1 where the broker does not tell.
    public var offset: Int64
    /// Milliseconds since 1970: the record's own time, or the broker's where the topic says so.
    public var timestamp: Int64
}
