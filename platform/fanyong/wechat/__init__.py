"""WeChat: the thin gateway over `wechatpayv3`, and the simulator that speaks the same wire protocol."""
