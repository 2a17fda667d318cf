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
    // Made in one step: an initialiser that sets one property after the other copies the whole.
    private struct Parts: Sendable, Hashable {
        var topic: String
        var partition: Int32?
        var key: [UInt8]?
        var value: [UInt8]?
        var headers: KafkaHeaders
        var timestamp: Int64?
    }

    private var parts: Parts

    // Inlined where records are made: there it is known what the bytes are of.
    @inlinable
    public init(
        topic: String,
        partition: Int32? = nil,
        key: (any KafkaBytes)? = nil,
        value: (any KafkaBytes)?,
        headers: KafkaHeaders = KafkaHeaders(),
        timestamp: Int64? = nil
    ) {
        let (keyBytes, valueBytes): ([UInt8]?, [UInt8]?) = (key?.kafkaBytes, value?.kafkaBytes)
        self.init(
            topic: topic,
            partition: partition,
            key: keyBytes,
            value: valueBytes,
            headers: headers,
            timestamp: timestamp
        )
    }

    /// Makes a record of bytes as they are, which costs the least.
    public init(
        topic: String,
        partition: Int32? = nil,
        key: [UInt8]? = nil,
        value: [UInt8]?,
        headers: KafkaHeaders = KafkaHeaders(),
        timestamp: Int64? = nil
    ) {
        self.parts = Parts(
            topic: topic,
            partition: partition,
            key: key,
            value: value,
            headers: headers,
            timestamp: timestamp
        )
    }

    public var topic: String {
        get { self.parts.topic }
        set { self.parts.topic = newValue }
    }

    /// Nil lets the key choose, and without a key the producer.
    public var partition: Int32? {
        get { self.parts.partition }
        set { self.parts.partition = newValue }
    }

    public var key: [UInt8]? {
        get { self.parts.key }
        set { self.parts.key = newValue }
    }

    public var value: [UInt8]? {
        get { self.parts.value }
        set { self.parts.value = newValue }
    }

    public var headers: KafkaHeaders {
        get { self.parts.headers }
        set { self.parts.headers = newValue }
    }

    /// Milliseconds since 1970; nil for the time of sending, as of the kernel's last tick: it may be
    /// up to ten milliseconds ago.
    public var timestamp: Int64? {
        get { self.parts.timestamp }
        set { self.parts.timestamp = newValue }
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
