"""What every graph must be: closed, ordered, and typed as its ops say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unigrad.errors import VerificationError
from unigrad.ir.nodes import CONSTANT, INPUT, graph_parameters, tensor

if TYPE_CHECKING:
    from unigrad.ir.nodes import Graph, Node

__all__ = ["verify"]


def verify(graph: Graph) -> None:
    """Check that a graph is closed, ordered and typed as its ops say.

    Raises:
        VerificationError: naming the node and what is wrong with it.
    """
    known: set[Node] = set()
    inputs = set(graph.inputs)
    if len(inputs) != len(graph.inputs):
        raise VerificationError(f"{graph!r} has the same input twice")
    for node in graph.nodes:
        for operand in node.operands:
            if operand not in known:
                raise VerificationError(f"{node!r} reads {operand!r}, which comes after it")
        known.add(node)
        if node.op is not INPUT:
            _verify_type(node)
        elif node not in inputs:
            raise VerificationError(f"{node!r} is an input of another graph")
    for output in graph.outputs:
        tensor(output)


def _verify_type(node: Node) -> None:
    if node.op is CONSTANT:
        array = node.params[0]
        if array.shape != node.shape or node.dtype != array.dtype:
            raise VerificationError(f"{node!r} holds a {array.dtype}{list(array.shape)}")
        return
    for body in graph_parameters(node):
        verify(body)
    inferred = node.op.infer(node.operands, node.params)
    if inferred != node.type:
        raise VerificationError(f"{node!r} has type {node.type}, its op infers {inferred}")
