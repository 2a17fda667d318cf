import KafkaDevBroker
import KafkaProtocol
import NIOCore

@testable import Kafka

extension SimulatedCluster {
    typealias Direction = SimulatedConnection.Direction

    // MARK: The client's end

    func connect(_ broker: BrokerID, _ address: BrokerAddress) {
        self.lastConnection += 1
        let connection = SimulatedConnection(
            number: self.lastConnection,
            broker: broker,
            node: Int32(address.host.dropFirst(4)) ?? -1,
            configuration: self.settings.configuration,
            now: self.now
        )
        self.connections[connection.number] = connection
        self.current[broker] = connection
        self.schedule.add(
            .connectionArrived(connection.number),
            at: self.now + self.milliseconds(1...20)
        )
    }

    func connectionArrived(_ number: Int) {
        guard let connection = self.connections[number], connection.isOpenToClient else { return }
        if let end = self.nodeHeldUntil[connection.node], end > self.now {
            let deadline =
                connection.openedAt + self.settings.configuration.connectionSetupTimeout
            guard deadline > self.now else {
                return self.closeClient(connection, reason: "it does not answer")
            }
            return self.schedule.add(.connectionArrived(number), at: min(end, deadline))
        }
        let isListening =
            self.isClusterUp
            && self.broker.configuration.nodes.contains { $0.id == connection.node && $0.isUp }
        guard isListening else {
            return self.closeClient(connection, reason: "connection refused")
        }
        self.note("connection \(number) to node \(connection.node) as broker \(connection.broker)")
        connection.isOpenToBroker = true
        self.broker.connectionOpened(.init(number: number), node: connection.node)
        connection.machine.connected(now: self.now)
        connection.machine.opened(now: self.now)
        self.runClient(connection)
    }

    func runClient(_ connection: SimulatedConnection) {
        while connection.isOpenToClient, let action = connection.machine.nextAction() {
            switch action {
            case .write(let pieces): self.write(joined(pieces), on: connection)
            case .ready: self.producer.connected(connection.broker, now: self.now)
            case .answered(let request, let answer):
                self.note("request \(request) is answered: \(ProducerBatch.names(in: answer))")
                self.producer.received(answer, to: request, now: self.now)
            case .getCredentials: self.fail("nobody logs in here")
            case .close(let reason), .refuse(let reason):
                self.closeClient(connection, reason: reason)
            }
        }
        guard connection.isOpenToClient, let due = connection.machine.nextDeadline,
            connection.timerDue.map({ due < $0 }) ?? true
        else { return }
        connection.timerDue = due
        self.schedule.add(.connectionTimer(connection.number), at: due)
    }

    func connectionTimer(_ number: Int) {
        guard let connection = self.connections[number], connection.isOpenToClient else { return }
        connection.timerDue = nil
        connection.machine.timePassed(now: self.now)
        self.runClient(connection)
    }

    /// Ends the client's side; what it sent before may still arrive, all of it or a part.
    func closeClient(_ connection: SimulatedConnection, reason: String) {
        guard connection.isOpenToClient else { return }
        self.note("connection \(connection.number) ends: \(reason)")
        connection.isOpenToClient = false
        connection.toClient.parcels.removeAll()
        if self.onceIn(3) { self.cut(&connection.toBroker) }
        self.send(.end, on: connection, .toBroker)
        if self.current[connection.broker] === connection {
            self.current[connection.broker] = nil
        }
        self.producer.connectionClosed(connection.broker, reason: reason, now: self.now)
    }

    /// Loses the last parcels that are on their way.
    func cut(_ path: inout SimulatedConnection.Path) {
        let kept = Int.random(in: 0...path.parcels.count, using: &self.random)
        path.parcels.removeLast(path.parcels.count - kept)
    }

    private func write(_ frame: ByteBuffer, on connection: SimulatedConnection) {
        var frame = frame
        let apiKey: Int16 = frame.getInteger(at: frame.readerIndex + 4) ?? -1
        switch APIKey(rawValue: apiKey) {
        case .metadata:
            let correlationID: Int32 = frame.getInteger(at: frame.readerIndex + 8) ?? -1
            let body = frame.getBytes(
                at: frame.readerIndex + 12,
                length: frame.readableBytes - 12
            )
            connection.metadataRequests[correlationID] = body
        case .produce:
            if self.doublings > 0 {
                self.doublings -= 1
                let ghost = Event.ghost(
                    frame,
                    node: connection.node,
                    clusterLife: self.clusterLife
                )
                self.schedule.add(ghost, at: self.now + self.milliseconds(0...20_000))
            }
            if self.damages > 0 {
                self.damages -= 1
                self.damage(&frame)
            }
        default: break
        }
        guard self.onceIn(6), frame.readableBytes > 1 else {
            return self.send(.bytes(frame), on: connection, .toBroker)
        }
        let length = Int.random(in: 1..<frame.readableBytes, using: &self.random)
        if let part = frame.readSlice(length: length) {
            self.send(.bytes(part), on: connection, .toBroker)
        }
        self.send(.bytes(frame), on: connection, .toBroker)
    }

    /// Changes a bit within the last record of a request.
    private func damage(_ frame: inout ByteBuffer) {
        let place = frame.writerIndex - 14
        guard let byte: UInt8 = frame.getInteger(at: place) else { return }
        frame.setInteger(byte ^ 4, at: place)
    }

    // MARK: What is on its way

    func send(
        _ parcel: SimulatedConnection.Parcel,
        on connection: SimulatedConnection,
        _ direction: Direction
    ) {
        let due = self.now + .microseconds(Int.random(in: 100...8000, using: &self.random))
        connection[direction].send(parcel, due: due)
        self.plan(connection, direction)
    }

    func plan(_ connection: SimulatedConnection, _ direction: Direction) {
        guard var due = connection[direction].nextDue else { return }
        if let end = self.nodeHeldUntil[connection.node] { due = max(due, end) }
        guard connection[direction].plannedAt.map({ due < $0 }) ?? true else { return }
        connection[direction].plannedAt = due
        self.schedule.add(.parcel(connection.number, direction), at: due)
    }

    func parcelDue(_ number: Int, _ direction: Direction) {
        guard let connection = self.connections[number] else { return }
        connection[direction].plannedAt = nil
        let isHeld = self.nodeHeldUntil[connection.node].map { $0 > self.now } ?? false
        while !isHeld, let parcel = connection[direction].popDue(now: self.now) {
            switch direction {
            case .toBroker: self.reachedBroker(parcel, connection)
            case .toClient: self.reachedClient(parcel, connection)
            }
        }
        self.plan(connection, direction)
    }

    private func reachedBroker(
        _ parcel: SimulatedConnection.Parcel,
        _ connection: SimulatedConnection
    ) {
        switch parcel {
        case .bytes where !connection.isOpenToBroker:
            // Nobody is there: the broker's system resets the connection.
            if connection.isOpenToClient { self.send(.end, on: connection, .toClient) }
        case .bytes(let bytes): self.brokerReads(bytes, on: connection)
        case .end:
            connection.isOpenToBroker = false
            self.broker.connectionClosed(.init(number: connection.number))
        }
    }

    private func reachedClient(
        _ parcel: SimulatedConnection.Parcel,
        _ connection: SimulatedConnection
    ) {
        guard connection.isOpenToClient else { return }
        switch parcel {
        case .end:
            connection.machine.ended()
            self.runClient(connection)
        case .bytes(let bytes):
            connection.clientFramer.append(bytes)
            while connection.isOpenToClient, let frame = self.nextFrame(&connection.clientFramer) {
                connection.machine.received(frame, now: self.now)
                self.runClient(connection)
            }
        }
    }

    private func nextFrame(_ framer: inout FrameDecoder) -> ByteBuffer? {
        do {
            return try framer.next()
        } catch {
            self.fail("a frame does not read: \(error)")
            return nil
        }
    }

    // MARK: The broker's end

    private func brokerReads(_ bytes: ByteBuffer, on connection: SimulatedConnection) {
        connection.brokerFramer.append(bytes)
        while connection.isOpenToBroker, let frame = self.nextFrame(&connection.brokerFramer) {
            self.broker.received(frame, from: .init(number: connection.number), now: self.now)
            self.runBroker()
        }
    }

    /// A copy of a request comes on a connection that the producer knows nothing of.
    func ghostArrived(_ frame: ByteBuffer, at node: Int32) {
        guard self.isClusterUp else { return }
        self.lastConnection += 1
        let id = BrokerStateMachine.ConnectionID(number: self.lastConnection)
        self.note("a copy of a request comes to node \(node)")
        var body = frame
        body.moveReaderIndex(forwardBy: 4)
        self.broker.connectionOpened(id, node: node)
        self.broker.received(body, from: id, now: self.now)
        self.runBroker()
        self.broker.connectionClosed(id)
    }

    func runBroker() {
        while self.isClusterUp, let action = self.broker.nextAction(now: self.now) {
            switch action {
            case .send(let id, let pieces):
                guard let connection = self.connections[id.number] else { continue }
                self.answer(joined(pieces), on: connection)
            case .close(let id, let reason):
                guard let connection = self.connections[id.number] else { continue }
                self.note("connection \(id.number) is closed by the broker: \(reason)")
                connection.isOpenToBroker = false
                connection.toBroker.parcels.removeAll()
                self.send(.end, on: connection, .toClient)
            case .listen, .stopListening: break
            case .journal(let frame): self.journal.writeImmutableBuffer(frame)
            }
        }
        guard self.isClusterUp, let due = self.broker.nextDeadline,
            self.brokerTimerDue.map({ due < $0 }) ?? true
        else { return }
        self.brokerTimerDue = due
        self.schedule.add(.brokerTimer, at: max(due, self.now))
    }

    private func answer(_ frame: ByteBuffer, on connection: SimulatedConnection) {
        guard connection.isOpenToClient else { return }
        var frame = frame
        let correlationID: Int32 = frame.getInteger(at: frame.readerIndex + 4) ?? -1
        if let request = connection.metadataRequests.removeValue(forKey: correlationID) {
            frame = self.metadataAnswer(frame, to: request, correlationID)
        }
        if correlationID == 1, !self.settings.tellsOfProducers {
            Self.hideDescribeProducers(&frame)
        }
        self.send(.bytes(frame), on: connection, .toClient)
    }

    /// Takes one request out of those that an answer to ApiVersions, which is the first, offers.
    private static func hideDescribeProducers(_ frame: inout ByteBuffer) {
        let offer: [UInt8] = [0, 61, 0, 0, 0, 0]
        let bytes = frame.readableBytesView
        let place = bytes.indices.first { bytes[$0...].starts(with: offer) }
        if let place { frame.setInteger(Int16.max, at: place) }
    }

    /// The answer itself, or one that was given earlier.
    private func metadataAnswer(
        _ frame: ByteBuffer,
        to request: [UInt8],
        _ correlationID: Int32
    ) -> ByteBuffer {
        let earlier = self.metadataAnswers[request] ?? []
        self.metadataAnswers[request] = earlier.suffix(4) + [frame]
        guard self.staleAnswers > 0, var old = earlier.randomElement(using: &self.random) else {
            return frame
        }
        self.staleAnswers -= 1
        self.note("an old answer to a request for metadata")
        old.setInteger(correlationID, at: old.readerIndex + 4)
        return old
    }
}

func joined(_ pieces: [ByteBuffer]) -> ByteBuffer {
    var whole = ByteBuffer()
    for piece in pieces { whole.writeImmutableBuffer(piece) }
    return whole
}
