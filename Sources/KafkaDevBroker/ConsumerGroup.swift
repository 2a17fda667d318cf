internal import KafkaProtocol
internal import NIOCore

/// A consumer group of the classic protocol: who is in it, and what its leader assigned to whom.
struct ConsumerGroup {
    typealias Instant = BrokerStateMachine.Instant
    typealias ReplyAddress = BrokerStateMachine.ReplyAddress

    enum Phase: Equatable {
        case empty
        /// Members are to join again until then; those who do not are dropped.
        case joining(until: Instant)
        /// Members wait for what the leader assigns.
        case syncing
        case stable
    }

    enum Answer: Equatable {
        case join(ReplyAddress, JoinGroupResponse)
        case sync(ReplyAddress, SyncGroupResponse)
    }

    struct Member {
        let id: String
        var instanceID: String?
        var sessionTimeout: Duration
        var rebalanceTimeout: Duration
        var protocols: [JoinGroupRequest.GroupProtocol]
        var assignment = ByteBuffer()
        var joining: ReplyAddress?
        var syncing: ReplyAddress?
        var expiry: Instant
    }

    struct CommittedOffset: Equatable {
        var offset: Int64
        var leaderEpoch: Int32
        var metadata: String?
    }

    private(set) var phase = Phase.empty
    private(set) var generation: Int32 = 0
    private(set) var members: [Member] = []
    /// Ids that were given to clients who have not joined with them yet.
    private var promisedIDs: Set<String> = []
    private var leader: String?
    private var protocolType: String?
    private var protocolName: String?
    private var nextMemberNumber = 1
    private var answers: [Answer] = []
    var offsets: [String: [Int32: CommittedOffset]] = [:]

    mutating func takeAnswers() -> [Answer] {
        defer { self.answers = [] }
        return self.answers
    }

    var nextDeadline: Instant? {
        var deadlines = self.members.filter { !$0.isWaiting }.map(\.expiry)
        if case .joining(let end) = self.phase { deadlines.append(end) }
        return deadlines.min()
    }

    mutating func timePassed(now: Instant) {
        let expired = self.members.filter { !$0.isWaiting && $0.expiry <= now }.map(\.id)
        if !expired.isEmpty { self.remove(expired, now: now) }
        guard case .joining(let end) = self.phase, end <= now else { return }
        self.members.removeAll { $0.joining == nil }
        self.completeJoin(now: now)
    }
}

extension ConsumerGroup.Member {
    /// Whether the broker owes an answer, during which the client sends no heartbeat.
    var isWaiting: Bool { self.joining != nil || self.syncing != nil }
}

// MARK: Joining

extension ConsumerGroup {
    mutating func join(
        _ request: JoinGroupRequest,
        _ to: ReplyAddress,
        clientID: String,
        now: Instant
    ) {
        if let error = self.problem(request) {
            return self.refuse(to, error, memberID: request.memberID)
        }
        if request.memberID.isEmpty {
            self.joinAnew(request, to, clientID: clientID, now: now)
        } else if self.promisedIDs.remove(request.memberID) != nil {
            self.add(request.memberID, request, to, now: now)
        } else {
            self.joinAgain(request, to, now: now)
        }
    }

    private func problem(_ request: JoinGroupRequest) -> KafkaError? {
        if request.groupID.isEmpty { return .invalidGroupID }
        if !(1...1_800_000).contains(request.sessionTimeoutMilliseconds) {
            return .invalidSessionTimeout
        }
        if request.protocols.isEmpty || request.protocolType.isEmpty {
            return .inconsistentGroupProtocol
        }
        let others = self.members.filter { $0.id != request.memberID }
        guard !others.isEmpty else { return nil }
        let common = self.commonProtocols(others)
        let isConsistent =
            self.protocolType == request.protocolType
            && request.protocols.contains { common.contains($0.name) }
        return isConsistent ? nil : .inconsistentGroupProtocol
    }

    private mutating func joinAnew(
        _ request: JoinGroupRequest,
        _ to: ReplyAddress,
        clientID: String,
        now: Instant
    ) {
        let id = "\(request.groupInstanceID ?? clientID)-\(self.nextMemberNumber)"
        self.nextMemberNumber += 1
        guard request.groupInstanceID != nil || to.version < 4 else {
            self.promisedIDs.insert(id)
            return self.refuse(to, .memberIDRequired, memberID: id)
        }
        // A member with the same instance id is the same one, started again.
        if let instance = request.groupInstanceID {
            self.members.removeAll { $0.instanceID == instance }
        }
        self.add(id, request, to, now: now)
    }

    private mutating func add(
        _ id: String,
        _ request: JoinGroupRequest,
        _ to: ReplyAddress,
        now: Instant
    ) {
        let session = Duration.milliseconds(request.sessionTimeoutMilliseconds)
        var member = Member(
            id: id,
            instanceID: request.groupInstanceID,
            sessionTimeout: session,
            rebalanceTimeout: session,
            protocols: request.protocols,
            expiry: now + session
        )
        if request.rebalanceTimeoutMilliseconds > 0 {
            member.rebalanceTimeout = .milliseconds(request.rebalanceTimeoutMilliseconds)
        }
        member.joining = to
        self.protocolType = request.protocolType
        self.members.append(member)
        self.rebalance(now: now)
    }

    private mutating func joinAgain(
        _ request: JoinGroupRequest,
        _ to: ReplyAddress,
        now: Instant
    ) {
        guard let index = self.index(of: request.memberID) else {
            return self.refuse(to, .unknownMemberID, memberID: request.memberID)
        }
        let isSame = self.members[index].protocols == request.protocols
        self.members[index].protocols = request.protocols
        self.members[index].expiry = now + self.members[index].sessionTimeout
        self.members[index].joining = to
        let isFollower = self.leader != request.memberID
        if isSame && ((self.phase == .stable && isFollower) || self.phase == .syncing) {
            // It did not hear the answer: nothing changes for the others.
            return self.answerJoin(of: index, now: now)
        }
        self.rebalance(now: now)
    }

    private mutating func rebalance(now: Instant) {
        for index in self.members.indices {
            guard let waiting = self.members[index].syncing else { continue }
            self.members[index].syncing = nil
            self.answers.append(.sync(waiting, .init(errorCode: .rebalanceInProgress)))
        }
        if case .joining = self.phase {
        } else {
            let longest = self.members.map(\.rebalanceTimeout).max() ?? .zero
            self.phase = .joining(until: now + longest)
        }
        if self.members.allSatisfy({ $0.joining != nil }) { self.completeJoin(now: now) }
    }

    private mutating func completeJoin(now: Instant) {
        guard !self.members.isEmpty else {
            self.phase = .empty
            self.leader = nil
            return
        }
        self.generation &+= 1
        self.phase = .syncing
        if self.leader.map({ self.index(of: $0) == nil }) ?? true {
            self.leader = self.members.first?.id
        }
        let common = self.commonProtocols(self.members)
        let preferred = self.members.first { $0.id == self.leader }?.protocols ?? []
        self.protocolName = preferred.first { common.contains($0.name) }?.name
        for index in self.members.indices {
            self.members[index].assignment = ByteBuffer()
            self.answerJoin(of: index, now: now)
        }
    }

    private func commonProtocols(_ members: [Member]) -> Set<String> {
        let sets = members.map { Set($0.protocols.map(\.name)) }
        guard let first = sets.first else { return [] }
        return sets.dropFirst().reduce(first) { $0.intersection($1) }
    }

    private mutating func answerJoin(of index: Int, now: Instant) {
        guard let to = self.members[index].joining else { return }
        self.members[index].joining = nil
        self.members[index].expiry = now + self.members[index].sessionTimeout
        let id = self.members[index].id
        let response = JoinGroupResponse(
            generationID: self.generation,
            protocolType: self.protocolType,
            protocolName: self.protocolName,
            leader: self.leader ?? "",
            memberID: id,
            members: id == self.leader ? self.members.map { self.describe($0) } : []
        )
        self.answers.append(.join(to, response))
    }

    private func describe(_ member: Member) -> JoinGroupResponse.Member {
        let chosen = member.protocols.first { $0.name == self.protocolName }
        return JoinGroupResponse.Member(
            memberID: member.id,
            groupInstanceID: member.instanceID,
            metadata: chosen?.metadata ?? ByteBuffer()
        )
    }

    private mutating func refuse(_ to: ReplyAddress, _ error: KafkaError, memberID: String) {
        self.answers.append(.join(to, .init(errorCode: error, memberID: memberID)))
    }

    private func index(of memberID: String) -> Int? {
        self.members.firstIndex { $0.id == memberID }
    }
}

// MARK: Being a member

extension ConsumerGroup {
    mutating func sync(_ request: SyncGroupRequest, _ to: ReplyAddress, now: Instant) {
        let error = self.heard(request.memberID, request.generationID, now: now)
        guard error == .none, let index = self.index(of: request.memberID) else {
            return self.answers.append(.sync(to, .init(errorCode: error)))
        }
        self.members[index].syncing = to
        if self.phase == .syncing && request.memberID == self.leader {
            for assignment in request.assignments {
                guard let index = self.index(of: assignment.memberID) else { continue }
                self.members[index].assignment = assignment.assignment
            }
            self.phase = .stable
        }
        guard self.phase == .stable else { return }
        for index in self.members.indices { self.answerSync(of: index, now: now) }
    }

    private mutating func answerSync(of index: Int, now: Instant) {
        guard let to = self.members[index].syncing else { return }
        self.members[index].syncing = nil
        self.members[index].expiry = now + self.members[index].sessionTimeout
        let response = SyncGroupResponse(
            protocolType: self.protocolType,
            protocolName: self.protocolName,
            assignment: self.members[index].assignment
        )
        self.answers.append(.sync(to, response))
    }

    /// Notes that a member lives, and says what it has to know.
    mutating func heard(_ memberID: String, _ generation: Int32, now: Instant) -> KafkaError {
        guard let index = self.index(of: memberID) else { return .unknownMemberID }
        guard generation == self.generation else { return .illegalGeneration }
        self.members[index].expiry = now + self.members[index].sessionTimeout
        if case .joining = self.phase { return .rebalanceInProgress }
        return .none
    }

    /// Whether that member may commit offsets now.
    mutating func mayCommit(_ memberID: String, _ generation: Int32, now: Instant) -> KafkaError {
        // A consumer that assigned its partitions itself is no member of the group.
        if generation < 0 && memberID.isEmpty {
            return self.members.isEmpty ? .none : .unknownMemberID
        }
        let error = self.heard(memberID, generation, now: now)
        // While the others join, what was read until then may still be committed.
        if error == .rebalanceInProgress { return .none }
        return self.phase == .syncing && error == .none ? .rebalanceInProgress : error
    }

    mutating func leave(_ member: LeaveGroupRequest.Member, now: Instant) -> KafkaError {
        let found = self.members.first { known in
            member.memberID.isEmpty
                ? known.instanceID != nil && known.instanceID == member.groupInstanceID
                : known.id == member.memberID
        }
        guard let found else {
            return self.promisedIDs.remove(member.memberID) != nil ? .none : .unknownMemberID
        }
        self.remove([found.id], now: now)
        return .none
    }

    private mutating func remove(_ ids: [String], now: Instant) {
        for index in self.members.indices where ids.contains(self.members[index].id) {
            if let to = self.members[index].joining {
                self.refuse(to, .unknownMemberID, memberID: "")
            }
            if let to = self.members[index].syncing {
                self.answers.append(.sync(to, .init(errorCode: .unknownMemberID)))
            }
        }
        self.members.removeAll { ids.contains($0.id) }
        if self.members.isEmpty {
            self.generation &+= 1
            self.phase = .empty
            self.leader = nil
        } else {
            self.rebalance(now: now)
        }
    }
}
