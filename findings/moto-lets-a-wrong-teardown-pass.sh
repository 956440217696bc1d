#!/usr/bin/env bash
# moto takes a network apart in any order and makes two of one client token: what hangs or doubles on AWS passes.
#
# Versions: moto 5.2.5, boto3 1.44.5 (PyPI).
# Seen:     while an instance runs, its security group and its subnet are deleted, and so is the VPC with its gateway still
#           attached. `run_instances` twice with one ClientToken makes two. `create_load_balancer` twice with one name
#           makes two. Placement groups are not there at all.
# Expected: as on AWS: DependencyViolation three times, one instance, one load balancer.
# Output:   group deleted, subnet deleted, vpc deleted; 2 instances; 2 load balancers
# Means:    neither the order of a teardown nor idempotence is tested by moto alone. rookery's tests have a layer before it
#           that refuses what AWS refuses (tests/kit/strict_aws), each refusal with its source.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi moto==5.2.5 boto3==1.44.5 botocore==1.44.5

cat >"$WORK/call.py" <<'PYTHON'
import boto3
from moto import mock_aws

with mock_aws():
    key = {"region_name": "eu-central-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    ec2, elb = boto3.client("ec2", **key), boto3.client("elbv2", **key)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/24")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc)["GroupId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    balancers = {
        elb.create_load_balancer(Name="lb", Type="network", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]
        for _ in range(2)
    }
    image = ec2.describe_images()["Images"][0]["ImageId"]
    asked = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "SubnetId": subnet, "SecurityGroupIds": [group]}
    instances = {ec2.run_instances(ClientToken="t", **asked)["Instances"][0]["InstanceId"] for _ in range(2)}
    ec2.delete_security_group(GroupId=group)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    print(f"all deleted; {len(instances)} instances; {len(balancers)} load balancers")
    try:
        ec2.create_placement_group(GroupName="p", Strategy="spread")
    except NotImplementedError:
        print("no placement groups")
PYTHON
said="$(timeout 120 "$WORK/venv/bin/python" "$WORK/call.py" 2>&1)"
expect "a teardown in the wrong order, and twice of one" "all deleted; 2 instances; 2 load balancers" "$(sed -n 1p <<<"$said")"
expect "placement groups" "no placement groups" "$(sed -n 2p <<<"$said")"
verdict
