-- Two databases, each with an owner who migrates it; services only read and write rows.
CREATE ROLE bidmesh_bid_owner LOGIN PASSWORD 'bidmesh';
CREATE ROLE bidmesh_bid LOGIN PASSWORD 'bidmesh';
CREATE ROLE bidmesh_stats_owner LOGIN PASSWORD 'bidmesh';
CREATE ROLE bidmesh_stats LOGIN PASSWORD 'bidmesh';
CREATE DATABASE bidmesh_bid OWNER bidmesh_bid_owner;
CREATE DATABASE bidmesh_stats OWNER bidmesh_stats_owner;
