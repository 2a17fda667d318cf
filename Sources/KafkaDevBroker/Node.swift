/// A broker of the cluster.
package struct Node: Sendable, Equatable {
    package let id: Int32
    /// The address that clients are told to connect to.
    package var host: String
    package var port: Int32
    /// Whether it takes connections.
    package internal(set) var isUp = true

    package init(id: Int32, host: String, port: Int32 = 0) {
        self.id = id
        self.host = host
        self.port = port
    }
}

/// Which nodes have a partition, and which of them leads it.
package struct Leadership: Sendable, Equatable {
    /// In the order in which they are to lead.
    package internal(set) var replicas: [Int32]
    /// -1 while none of them is up.
    package internal(set) var leader: Int32
    /// Counts the leaders that the partition had.
    package internal(set) var epoch: Int32 = 0

    init(replicas: [Int32], leader: Int32) {
        self.replicas = replicas
        self.leader = leader
    }

    /// Goes over to another leader.
    mutating func move(to leader: Int32) {
        guard leader != self.leader else { return }
        self.leader = leader
        self.epoch += 1
    }
}
