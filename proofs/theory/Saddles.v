(** The dichotomy: every critical point of a convex loss is a global minimum or,
    when d is large enough, a strict saddle. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Mse.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Dichotomy.
Variables (R : rcfType) (K d N : nat) (L : 'M[R]_(K, N) -> R) (lw lh : R) (m : bias_mode R).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation f := (ufm L lw lh m).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) (G : 'M[R]_(K, N)).

(** The gradient of f vanishes at (W, H, b); G is the gradient of L there. *)
Definition critical W H b G : Prop :=
  [/\ lw *: W + G *m H^T = 0, lh *: H + W^T *m G = 0, bias_allowed m b & bias_balanced m G b].

(** G is the derivative of L at Z along every direction. *)
Definition derivative (Z G : 'M[R]_(K, N)) : Prop :=
  forall D eps, 0 < eps -> exists2 del, 0 < del &
    forall t, 0 <= t -> t < del -> L (Z + t *: D) <= L Z + t * frob G D + eps * t.

Lemma critical_W W H b G : critical W H b G -> W = - lw^-1 *: (G *m H^T).
Proof.
case=> /eqP; rewrite addr_eq0 => /eqP e _ _ _.
have lwN : lw != 0 by rewrite gt_eqF.
by apply: (scalerI lwN); rewrite e scalerA mulrN mulfV // scaleN1r.
Qed.
Lemma critical_H W H b G : critical W H b G -> H = - lh^-1 *: (W^T *m G).
Proof.
case=> _ /eqP; rewrite addr_eq0 => /eqP e _ _.
have lhN : lh != 0 by rewrite gt_eqF.
by apply: (scalerI lhN); rewrite e scalerA mulrN mulfV // scaleN1r.
Qed.

(** ||G||_op^2 <= lw lh certifies a critical point as a global minimum. *)
Theorem critical_global W H b G :
  critical W H b G -> subgradient L (W *m H + b *m ones N) G -> op_sq_le G (lw * lh) ->
  global_min L lw lh m W H b.
Proof.
move=> cr sub op; have [_ _ ok bal] := cr.
have cert : certificate L lw lh m (W *m H + b *m ones N) b G by [].
split=> // W' H' b' ok'; rewrite (collapse_iff lw0 lh0 cert W H ok).2.
  exact: (collapse_lower lw0 lh0 cert).
split.
- by rewrite /bregman !subrr frob0r subr0.
- exact: critical_W cr.
- have eW : W^T = - lw^-1 *: (H *m G^T).
    by rewrite {1}(critical_W cr) trmxZ trmx_mul trmxK.
  rewrite {1}(critical_H cr) eW -scalemxAl !scalerA.
  rewrite -[RHS]scale1r; congr (_ *: _).
  by field; rewrite !gt_eqF.
by rewrite subrr scaler0.
Qed.

(** Along (dW, dH) the value falls below f - kap t^2 for all small t. *)
Definition strict_saddle W H b : Prop :=
  exists (dW : 'M[R]_(K, d)) (dH : 'M[R]_(d, N)) kap del, [/\ 0 < kap, 0 < del &
    forall t, 0 < t -> t < del -> f (W + t *: dW) (H + t *: dH) b <= f W H b - kap * t ^+ 2].

(** A direction e orthogonal to the rows of W exists when rank W < d. *)
Lemma kernel_direction W : (\rank W < d)%N -> exists2 e : 'cV[R]_d, W *m e = 0 & e != 0.
Proof.
move=> rk; have : kermx W^T != 0.
  by rewrite -mxrank_eq0 mxrank_ker mxrank_tr subn_eq0 -ltnNge.
case/rowV0Pn => v /sub_kermxP vW vN; exists v^T; last by rewrite trmx_eq0.
by apply: trmx_inj; rewrite trmx_mul trmxK vW trmx0.
Qed.

(** If ||G||_op^2 > lw lh and rank W < d, the point is a strict saddle: with v a row
    where |G v^T|^2 > lw lh |v|^2 the direction is (sqrt lh u e^T, - sqrt lw e v). *)
Theorem critical_saddle W H b G (v : 'rV[R]_N) :
  critical W H b G -> derivative (W *m H + b *m ones N) G ->
  lw * lh * sqF v < sqF (G *m v^T) -> (\rank W < d)%N ->
  strict_saddle W H b.
Proof.
move=> cr der big rk; have [e We e0] := kernel_direction rk.
have He : e^T *m H = 0.
  rewrite {1}(critical_H cr) -scalemxAr mulmxA -trmx_mul We trmx0 mul0mx scaler0 //.
have E0 : 0 < sqF e by rewrite sqF_gt0.
pose g := sqF (G *m v^T).
have lN : lw != 0 by rewrite gt_eqF.
(* dW = a u e^T with u = G v^T, dH = - e v, a = 1/lw *)
pose dW : 'M[R]_(K, d) := lw^-1 *: (G *m v^T *m e^T).
pose dH : 'M[R]_(d, N) := - (e *m v).
have sqE p q (u : 'M[R]_(p, 1)) (w : 'M[R]_(1, q)) : sqF (u *m w) = sqF u * sqF w.
  rewrite {1}/sqF frob_mull -mulmxA [w *m w^T]mx11_scalar mul_mx_scalar frobZr mulrC.
  by congr (_ * _); rewrite /sqF frob_def [w *m w^T]mx11_scalar mxtrace_scalar mulr1n !mxE.
have WdH : W *m dH = 0 by rewrite /dH mulmxN mulmxA We mul0mx oppr0.
have dWH : dW *m H = 0 by rewrite /dW -scalemxAl -mulmxA He mulmx0 scaler0.
pose D : 'M[R]_(K, N) := dW *m dH.
have ee : (e^T *m e) 0 0 = sqF e.
  by rewrite -sqF_tr /sqF frob_def trmxK /mxtrace big_ord_recl big_ord0 addr0.
have DE : D = - ((lw^-1 * sqF e) *: (G *m v^T *m v)).
  rewrite /D /dW /dH mulmxN -scalemxAl -[_ *m e^T *m _]mulmxA (mulmxA e^T).
  by rewrite [e^T *m e]mx11_scalar mul_scalar_mx -scalemxAr scalerA ee.
have GD : frob G D = - (lw^-1 * sqF e * g).
  by rewrite DE frobNr frobZr frobC frob_mull.
have oW : frob W dW = 0.
  rewrite /dW frobZr frobC frob_mull trmxK We frob0r mulr0 //.
have oH : frob H dH = 0.
  by rewrite /dH frobNr frobC frob_mulr He frob0r oppr0.
have nW : sqF dW = lw^-1 ^+ 2 * (g * sqF e) by rewrite /dW sqFZ sqE sqF_tr.
have nH : sqF dH = sqF e * sqF v by rewrite /dH sqFN sqE.
pose kap := lw^-1 * sqF e * (g - lw * lh * sqF v) / 2%:R.
have kap0 : 0 < kap by rewrite /kap !mulr_gt0 ?invr_gt0 ?ltr0n // subr_gt0.
have [del del0 hd] := der D (kap / 2%:R) (divr_gt0 kap0 (ltr0Sn _ 1)).
exists dW, dH, (kap / 2%:R), (Num.min 1 del).
split; [by rewrite divr_gt0 // ltr0n|by rewrite lt_minr ltr01|].
move=> t t0; rewrite lt_minr => /andP[t1 td].
have tt : t ^+ 2 < del.
  by apply: le_lt_trans td; rewrite expr2 -[X in _ <= X]mulr1 ler_wpmul2l ?ltW.
have := hd (t ^+ 2) (sqr_ge0 t) tt.
have D_def : D = dW *m dH by [].
clearbody D; clearbody dW dH.
have Z : (W + t *: dW) *m (H + t *: dH) + b *m ones N = W *m H + b *m ones N + t ^+ 2 *: D.
  rewrite mulmxDl !mulmxDr -!scalemxAl -!scalemxAr WdH dWH !scaler0 addr0 add0r scalerA.
  by rewrite -expr2 -D_def addrAC.
move=> le; rewrite /ufm Z.
have -> : sqF (W + t *: dW) = sqF W + t ^+ 2 * sqF dW.
  by rewrite sqFD frobZr oW mulr0 mulr0 addr0 sqFZ.
have -> : sqF (H + t *: dH) = sqF H + t ^+ 2 * sqF dH.
  by rewrite sqFD frobZr oH mulr0 mulr0 addr0 sqFZ.
move: le; rewrite GD -subr_ge0 => le; rewrite nW nH -subr_ge0; move: le.
move: (L _) (L (_ + _ *: _)) (sqF W) (sqF H) (sqF b) (bias_weight m) => l0 l1 sW sH sb lb.
rewrite /kap /g; move: (sqF e) (sqF v) (sqF (G *m v^T)) => se sv g1.
suff e2 : forall A B : R, A = B -> 0 <= A -> 0 <= B by apply: e2; field; rewrite lN.
by move=> A B ->.
Qed.

(** If W is square and invertible, or its columns span the range of P while
    1^T G = 0, criticality forces the operator-norm bound. *)
Lemma critical_full W H b G (Q : 'M[R]_K) :
  critical W H b G -> Q^T = Q -> Q *m Q = Q -> Q *m G = G ->
  (\rank Q <= \rank W)%N -> Q *m W = W -> op_sq_le G (lw * lh).
Proof.
move=> cr Qt QQ QG rk QW.
have m0 : 0 <= lw * lh by rewrite mulr_ge0 // ltW.
apply: (op_sq_le_proj m0 Qt QQ).
have GGW : G *m G^T *m W = (lw * lh) *: W.
  have eHt : H^T = - lh^-1 *: (G^T *m W).
    by rewrite {1}(critical_H cr) trmxZ trmx_mul trmxK.
  rewrite {2}(critical_W cr) eHt -scalemxAr mulmxA !scalerA.
  rewrite -[LHS]scale1r; congr (_ *: _).
  by field; rewrite !gt_eqF.
have QWs : (Q^T <= W^T)%MS.
  have sub : (W^T <= Q^T)%MS by rewrite -{1}QW trmx_mul; exact: submxMl.
  by move: (mxrank_leqif_sup sub) => /geq_leqif; rewrite !mxrank_tr rk => /esym.
have /submxP [A eA] := QWs.
have eQ : Q = W *m A^T by rewrite -[Q]trmxK eA trmx_mul trmxK.
have GtQ : G^T *m Q = G^T by rewrite -{2}QG trmx_mul Qt.
by rewrite -{1}GtQ mulmxA {1}eQ mulmxA GGW -scalemxAl -eQ.
Qed.

(** ** Dichotomy: d >= K in every case; d >= K - 1 when 1^T W = 0 and 1^T G = 0. *)
Theorem dichotomy W H b G : (K <= d)%N ->
  critical W H b G -> subgradient L (W *m H + b *m ones N) G ->
  derivative (W *m H + b *m ones N) G ->
  global_min L lw lh m W H b \/ strict_saddle W H b.
Proof.
move=> Kd cr sub der.
case: (psd_or_negative (gram_sym G (lw * lh))) => [op|[v neg]].
  by left; exact: critical_global cr sub op.
have big : lw * lh * sqF v < sqF (G *m v^T) by move: neg; rewrite op_form subr_lt0.
have [rk|rk] := ltnP (\rank W) d.
  by right; exact: critical_saddle cr der big rk.
left; apply: (critical_global cr sub).
apply: (critical_full cr (trmx1 _ _) (mulmx1 _) (mul1mx _)); last exact: mul1mx.
by rewrite mxrank1 (leq_trans Kd rk).
Qed.

Theorem dichotomy_centred W H b G : (0 < K)%N -> (K.-1 <= d)%N -> ones K *m G = 0 ->
  critical W H b G -> subgradient L (W *m H + b *m ones N) G ->
  derivative (W *m H + b *m ones N) G ->
  global_min L lw lh m W H b \/ strict_saddle W H b.
Proof.
move=> K0 Kd oG cr sub der.
case: (psd_or_negative (gram_sym G (lw * lh))) => [op|[v neg]].
  by left; exact: critical_global cr sub op.
have big : lw * lh * sqF v < sqF (G *m v^T) by move: neg; rewrite op_form subr_lt0.
have [rk|rk] := ltnP (\rank W) d.
  by right; exact: critical_saddle cr der big rk.
have PG : ctr K *m G = G.
  by rewrite ctr_def mulmxBl mul1mx avg_def -scalemxAl -mulmxA oG mulmx0 scaler0 subr0.
left; apply: (critical_global cr sub).
apply: (critical_full cr (ctr_tr _ _) (ctrM _ K0) PG).
  by rewrite rank_ctr // (leq_trans Kd rk).
by rewrite {1}(critical_W cr) -scalemxAr mulmxA PG -(critical_W cr).
Qed.
End Dichotomy.

(** ** MSE meets the hypotheses: every critical point of the squared error, any
    targets and bias mode, d >= K, is a global minimum or a strict saddle. *)
Section MseLandscape.
Variables (R : rcfType) (K d N : nat) (Y : 'M[R]_(K, N)) (lw lh : R) (m : bias_mode R).
Hypotheses (N0 : (0 < N)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).

Lemma mse_derivative Z : derivative (mse Y) Z (mse_grad Y Z).
Proof.
move=> D eps eps0; pose q := (2%:R * N%:R)^-1 * sqF D.
have q0 : 0 <= q by rewrite scale_sqF_ge0 // invr_ge0 mulr_ge0 ?ler0n.
have q1 : 0 < q + 1 by rewrite ltr_paddl ?ltr01.
exists (eps / (q + 1)) => [|t t0 td]; first exact: divr_gt0.
have e := mse_bregman Y N0 Z (Z + t *: D).
have tD : Z + t *: D - Z = t *: D by rewrite addrC addKr.
rewrite /bregman tD sqFZ frobZr in e.
have -> : mse Y (Z + t *: D) = mse Y Z + t * frob (mse_grad Y Z) D + t * (t * q).
  rewrite -[LHS](subrK (mse Y Z)) -[_ - mse Y Z](subrK (t * frob (mse_grad Y Z) D)) e /q.
  by move: (_^-1) (sqF D) (mse Y Z) (frob _ _) => a s l g; ring.
rewrite ler_add2l [eps * t]mulrC ler_wpmul2l //.
apply: le_trans (_ : t * (q + 1) <= eps); first by rewrite ler_wpmul2l // ler_addl ler01.
by rewrite -ler_pdivl_mulr // ltW.
Qed.

Theorem mse_dichotomy (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) b : (K <= d)%N ->
  critical lw lh m W H b (mse_grad Y (W *m H + b *m ones N)) ->
  global_min (mse Y) lw lh m W H b \/ strict_saddle (mse Y) lw lh m W H b.
Proof.
move=> Kd cr; apply: (dichotomy lw0 lh0 Kd cr); last exact: mse_derivative.
exact: mse_subgradient.
Qed.
End MseLandscape.
