// Metal's programs include it; what they need is in metal_stdlib.
