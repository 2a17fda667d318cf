import KafkaProtocol
import NIOCore

@testable import Kafka

/// A connection: the client's machine at one end, the broker's number for it at the other, and what
/// is on its way between them.
final class SimulatedConnection {
    /// What arrives at one end.
    enum Parcel {
        case bytes(ByteBuffer)
        /// The other side has closed, or the network says so.
        case end
    }

    enum Direction: CaseIterable {
        case toBroker, toClient
    }

    /// One direction; what is sent first arrives first.
    struct Path {
        var parcels = CircularBuffer<(due: ContinuousClock.Instant, parcel: Parcel)>()
        /// Nothing arrives before then.
        var heldUntil: ContinuousClock.Instant
        /// When its next arrival is planned.
        var plannedAt: ContinuousClock.Instant?

        /// When the next parcel arrives.
        var nextDue: ContinuousClock.Instant? {
            self.parcels.first.map { max($0.due, self.heldUntil) }
        }

        mutating func send(_ parcel: Parcel, due: ContinuousClock.Instant) {
            self.parcels.append((max(due, self.parcels.last?.due ?? due), parcel))
        }

        mutating func popDue(now: ContinuousClock.Instant) -> Parcel? {
            guard let due = self.nextDue, due <= now else { return nil }
            return self.parcels.popFirst()?.parcel
        }
    }

    let number: Int
    /// Whom the producer takes the other side for.
    let broker: BrokerID
    let node: Int32
    let openedAt: ContinuousClock.Instant
    var machine: ConnectionStateMachine
    var toBroker: Path
    var toClient: Path
    var brokerFramer = FrameDecoder(limit: 1 << 24)
    var clientFramer = FrameDecoder(limit: 1 << 24)
    /// Whether the client has not closed it.
    var isOpenToClient = true
    /// Whether the broker has accepted and not closed it.
    var isOpenToBroker = false
    var timerDue: ContinuousClock.Instant?
    /// The requests for metadata that were not answered, by correlation id.
    var metadataRequests: [Int32: [UInt8]] = [:]

    init(
        number: Int,
        broker: BrokerID,
        node: Int32,
        configuration: KafkaProducerConfiguration,
        now: ContinuousClock.Instant
    ) {
        self.number = number
        self.broker = broker
        self.node = node
        self.openedAt = now
        self.machine = ConnectionStateMachine(
            configuration: configuration,
            seed: UInt64(number)
        )
        self.toBroker = Path(heldUntil: now)
        self.toClient = Path(heldUntil: now)
    }

    subscript(direction: Direction) -> Path {
        get { direction == .toBroker ? self.toBroker : self.toClient }
        set {
            switch direction {
            case .toBroker: self.toBroker = newValue
            case .toClient: self.toClient = newValue
            }
        }
    }
}
