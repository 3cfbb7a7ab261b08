def test_x(app, brand, login_as, client_for):
    c = login_as(brand)
    for path in ["/console/","/console/products","/console/products/new","/console/offers","/console/orders","/console/promoters","/console/tiers","/console/plan","/console/withdrawals","/console/settings","/console/staff","/console/audit","/console/books","/console/reconciliation","/console/sandbox/state"]:
        r=c.get(path)
        print(path, r.status_code, len(r.data))
        if r.status_code!=200: print(r.get_data(as_text=True)[:500])
