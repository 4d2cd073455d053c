"""Clean the packages of a Node.js service, `node_modules`, by the same manifests."""
