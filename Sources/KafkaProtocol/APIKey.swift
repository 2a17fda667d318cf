/// Which kind of request, by Kafka's number.
package struct APIKey: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int16

    package init(rawValue: Int16) {
        self.rawValue = rawValue
    }

    package static let produce = APIKey(rawValue: 0)
    package static let fetch = APIKey(rawValue: 1)
    package static let listOffsets = APIKey(rawValue: 2)
    package static let metadata = APIKey(rawValue: 3)
    package static let offsetCommit = APIKey(rawValue: 8)
    package static let offsetFetch = APIKey(rawValue: 9)
    package static let findCoordinator = APIKey(rawValue: 10)
    package static let joinGroup = APIKey(rawValue: 11)
    package static let heartbeat = APIKey(rawValue: 12)
    package static let leaveGroup = APIKey(rawValue: 13)
    package static let syncGroup = APIKey(rawValue: 14)
    package static let saslHandshake = APIKey(rawValue: 17)
    package static let apiVersions = APIKey(rawValue: 18)
    package static let createTopics = APIKey(rawValue: 19)
    package static let deleteTopics = APIKey(rawValue: 20)
    package static let initProducerID = APIKey(rawValue: 22)
    package static let addPartitionsToTxn = APIKey(rawValue: 24)
    package static let addOffsetsToTxn = APIKey(rawValue: 25)
    package static let endTxn = APIKey(rawValue: 26)
    package static let txnOffsetCommit = APIKey(rawValue: 28)
    package static let describeConfigs = APIKey(rawValue: 32)
    package static let saslAuthenticate = APIKey(rawValue: 36)
    package static let describeProducers = APIKey(rawValue: 61)
}
