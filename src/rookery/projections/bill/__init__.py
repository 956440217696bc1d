"""The bill of a design for people: a part of the design document, and a chart of cost over time."""
