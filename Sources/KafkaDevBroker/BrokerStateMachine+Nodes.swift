internal import KafkaProtocol

/// The cluster's nodes live in one machine and have one log of each partition: a follower knows at
/// once what its leader has.
extension BrokerStateMachine {
    var nodes: [Node] { self.configuration.nodes }

    func isUp(_ node: Int32) -> Bool {
        self.nodes.contains { $0.id == node && $0.isUp }
    }

    /// The nodes of a partition that are up.
    func inSyncReplicas(_ leadership: Leadership) -> [Int32] {
        leadership.replicas.filter { self.isUp($0) }
    }

    /// Spreads partitions over the nodes, each one's followers behind its leader.
    func replicas(ofPartition index: Int, topicNumber: Int, count: Int) -> [Int32] {
        (0..<count).map { self.nodes[(topicNumber + index + $0) % self.nodes.count].id }
    }

    func leadership(of replicas: [Int32]) -> Leadership {
        Leadership(replicas: replicas, leader: replicas.first { self.isUp($0) } ?? -1)
    }

    /// The node that coordinates a group or a transactional id: a hash says which, and the next one
    /// that is up takes its place.
    func coordinator(of key: String) -> Node? {
        let hash = key.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        let first = Int(hash % UInt32(self.nodes.count))
        return (0..<self.nodes.count).lazy
            .map { self.nodes[(first + $0) % self.nodes.count] }
            .first { $0.isUp }
    }

    func isCoordinator(_ node: Int32, of key: String) -> Bool {
        self.coordinator(of: key)?.id == node
    }

    /// Why a node cannot serve a partition to a client; nil if it leads it.
    func problem(with log: PartitionLog, at node: Int32, epoch: Int32 = -1) -> KafkaError? {
        guard log.leadership.leader == node else { return .notLeaderOrFollower }
        guard epoch >= 0, epoch != log.leadership.epoch else { return nil }
        return epoch < log.leadership.epoch ? .fencedLeaderEpoch : .unknownLeaderEpoch
    }

    /// Says where a node listens.
    package mutating func setPort(_ port: Int32, ofNode id: Int32) {
        guard let index = self.nodes.firstIndex(where: { $0.id == id }) else { return }
        self.configuration.nodes[index].port = port
    }

    /// Makes another node lead a partition, if it is one of its replicas and up.
    mutating func moveLeader(of topic: String, _ partition: Int32, to node: Int32) {
        guard let log = self.log(topic, partition), self.isUp(node),
            log.leadership.replicas.contains(node)
        else { return }
        self.setLeader(of: topic, Int(partition), node)
    }

    /// Takes a node away: its connections close, and others lead what it led.
    mutating func stopNode(_ id: Int32) {
        self.setNode(id, isUp: false)
        self.closeAll(of: id, reason: "node \(id) stops")
        self.actions.append(.stopListening(node: id))
        self.elect()
    }

    mutating func startNode(_ id: Int32) {
        self.setNode(id, isUp: true)
        self.actions.append(.listen(node: id))
        self.elect()
    }

    private mutating func setLeader(of topic: String, _ index: Int, _ node: Int32) {
        self.topics[topic]?.update(index) { log in
            guard log.leadership.leader != node else { return }
            if node >= 0 { log.truncateToReplicated() }
            log.leadership.move(to: node)
        }
        guard let leadership = self.topics[topic]?.partitions[index].leadership else { return }
        let partition = TopicPartition(topic: topic, partition: Int32(index))
        self.journal(.leadership(partition, leadership))
    }

    private mutating func setNode(_ id: Int32, isUp: Bool) {
        guard let index = self.nodes.firstIndex(where: { $0.id == id }) else { return }
        self.configuration.nodes[index].isUp = isUp
    }

    /// Gives each partition whose leader is down the first of its replicas that is up.
    mutating func elect() {
        for name in self.topics.keys {
            for index in self.topics[name]?.partitions.indices ?? 0..<0 {
                guard let now = self.topics[name]?.partitions[index].leadership,
                    !self.isUp(now.leader)
                else { continue }
                let next = self.inSyncReplicas(now).first ?? -1
                self.setLeader(of: name, index, next)
            }
        }
    }
}
